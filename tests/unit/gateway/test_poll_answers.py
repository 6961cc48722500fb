"""What gathers for a client that polls: when an answer is due, what it carries, and what comes again."""

import asyncio
from collections.abc import Iterator

import pytest

from apps.gateway.close_codes import CloseReason
from apps.gateway.frame_queue import CROWDED_FRAMES
from apps.gateway.poll_answers import PollAnswers

LONG = 60.0


class Poll:
    """One open poll of a PollAnswers."""

    def __init__(self, answers: PollAnswers, seconds: float = LONG) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(answers.wait_until_due(seconds, self.gone))

    async def is_held(self) -> bool:
        """Whether it still waits after everything that could run has run."""
        for _ in range(5):
            await asyncio.sleep(0)
        return not self.task.done()

    async def outcome(self) -> bool:
        async with asyncio.timeout(5):
            return await self.task


def everything(frames: list[str]) -> bool:
    return True


@pytest.fixture
def answers() -> Iterator[PollAnswers]:
    """Past the opening."""
    closed: list[bool] = []
    answers = PollAnswers(lambda: closed.append(True))
    answers.answer_from(1)
    yield answers
    assert len(closed) == answers.closing


async def test_a_poll_is_held_until_there_is_a_frame(answers: PollAnswers) -> None:
    poll = Poll(answers)
    assert await poll.is_held()
    answers.put("a")
    assert await poll.outcome()
    assert answers.take() == ["a"]


async def test_a_poll_that_finds_frames_is_not_held(answers: PollAnswers) -> None:
    answers.put("a")
    assert await Poll(answers).outcome()


async def test_a_poll_ends_with_nothing_when_its_time_is_over(answers: PollAnswers) -> None:
    assert await Poll(answers, 0.01).outcome()
    assert answers.take() == []


async def test_an_answer_waits_for_as_many_frames_as_the_opening_asks_for(answers: PollAnswers) -> None:
    answers.answer_from(3)
    poll = Poll(answers)
    answers.put("connected")
    answers.put("drained")
    assert await poll.is_held()
    answers.put("a")
    assert await poll.outcome()


async def test_a_newer_poll_lets_the_older_go_without_its_frames(answers: PollAnswers) -> None:
    older = Poll(answers)
    assert await older.is_held()
    newer = Poll(answers)
    assert await newer.is_held()
    assert not await older.outcome()
    answers.put("a")
    assert await newer.outcome()


async def test_nothing_is_taken_for_a_client_that_is_gone(answers: PollAnswers) -> None:
    poll = Poll(answers)
    assert await poll.is_held()
    poll.gone.set_result(None)
    answers.put("a")
    assert not await poll.outcome()
    assert answers.take() == ["a"]


async def test_answers_come_again_until_they_were_received(answers: PollAnswers) -> None:
    answers.put("a")
    assert answers.take() == ["a"]
    answers.put("b")
    assert answers.take() == ["a", "b"]
    answers.settle(everything)
    answers.put("c")
    assert answers.take() == ["c"]


async def test_only_what_was_received_is_forgotten(answers: PollAnswers) -> None:
    for frame in ("a", "b", "c"):
        answers.put(frame)
        answers.take()
    answers.settle(lambda frames: frames != ["b"])
    assert answers.take() == ["b", "c"]


async def test_what_is_known_to_be_lost_waits_for_nothing(answers: PollAnswers) -> None:
    answers.put("a")
    answers.take()
    assert await Poll(answers, 0.01).outcome()
    answers.note_lost()
    assert await Poll(answers).outcome()
    assert answers.take() == ["a"]


async def test_where_nothing_was_answered_nothing_is_lost(answers: PollAnswers) -> None:
    answers.note_lost()
    poll = Poll(answers)
    assert await poll.is_held()
    answers.release()
    assert not await poll.outcome()


async def test_what_was_not_received_counts_towards_the_bound_and_room_is_told(answers: PollAnswers) -> None:
    told: list[bool] = []
    answers.on_written = lambda: told.append(True)
    for number in range(CROWDED_FRAMES):
        answers.put(str(number))
    answers.take()
    assert answers.crowded
    assert not answers.has_room
    assert not told
    answers.settle(everything)
    assert answers.empty
    assert told == [True]


async def test_what_gathers_beyond_the_bound_closes_with_1013(answers: PollAnswers) -> None:
    for _ in range(5000):
        answers.put("x")
    assert answers.close_reason is CloseReason.READS_TOO_SLOWLY
    assert answers.take() == []


async def test_a_close_ends_the_open_poll_and_leaves_it_the_last_frames(answers: PollAnswers) -> None:
    poll = Poll(answers)
    assert await poll.is_held()
    answers.answer_from(5)
    answers.put("last words")
    answers.close(CloseReason.TOO_MANY_BROKEN_FRAMES)
    answers.close(CloseReason.REPLACED)
    answers.put("too late")
    await answers.end()
    assert await poll.outcome()
    assert answers.close_reason is CloseReason.TOO_MANY_BROKEN_FRAMES
    assert answers.take() == ["last words"]


async def test_a_revoked_session_gets_nothing_more(answers: PollAnswers) -> None:
    answers.put("a")
    answers.take()
    answers.put("b")
    answers.close_at_once(CloseReason.REVOKED)
    assert await Poll(answers).outcome()
    assert answers.take() == []
