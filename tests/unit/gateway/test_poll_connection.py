"""A polling client's connection: its opening, what it knows of what has arrived, and whom it takes for its client."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from apps.connections.registry import Registration, Standing
from apps.gateway import poll_connection as module
from apps.gateway.close_codes import CloseReason
from apps.gateway.frame_queue import CROWDED_FRAMES
from apps.gateway.poll_connection import PollConnection
from apps.protocol import server_frames
from apps.protocol.limits import ANSWER_TIMEOUT_SECONDS
from apps.protocol.polls import PollError, PollMark

SERVER_ID = "gw-1"


class World:
    """A connection in a process of which only the drains, heartbeats and silence are looked at; time stands still."""

    def __init__(self, opened_with: str | None) -> None:
        self.now = 1000.0
        self.asked: list[tuple[int, str, int]] = []
        self.beats = 0
        process: Any = SimpleNamespace(
            server_id=SERVER_ID,
            silence=SimpleNamespace(heartbeat=lambda connection: None, answered=lambda connection: None),
            drains=SimpleNamespace(ask=lambda connection, *request, gap: self.asked.append(request)),
            heartbeats=SimpleNamespace(beat=self._beat, look_again=self._look_again),
        )
        identity: Any = SimpleNamespace(user_id="usr-a", device_id="dev-a", credential_hash="x")
        self.connection = PollConnection(process, identity, opened_with, lambda connection: None)
        self.connection.connection_id = 7

    def _beat(self, connection: Any) -> None:
        self.beats += 1

    def _look_again(self, connection: Any) -> None:
        connection.look(Standing(replaced=True, epoch="e1", counter=0))

    def open(
        self, *, counter: int = 0, waits: bool = False, previous: str = "", received: PollMark | None = None
    ) -> None:
        self.connection.send("connected")
        registration = Registration(
            connection_id=7,
            previous_server_id=previous,
            previous_connection_id=0,
            epoch="e1",
            counter=counter,
            waits=waits,
        )
        self.connection.open(registration, received)

    def push(self, counter: int) -> str:
        """A message comes; gives its frame."""
        frame = message(counter)
        self.connection.push("e1", counter, frame)
        return frame

    def poll(self, last_poll: str | None = None) -> tuple[list[str], str]:
        """One poll that is answered at once."""
        self.connection.note_poll(last_poll)
        frames, mark = self.connection.answer()
        return frames, str(mark)

    async def is_due(self) -> bool:
        """Whether a poll would be answered now."""
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        poll = asyncio.create_task(self.connection.wait_until_due(60, gone))
        for _ in range(5):
            await asyncio.sleep(0)
        self.connection.answers.release()
        due = poll.done()
        await poll
        return due


def message(number: int) -> str:
    return server_frames.incoming_message(
        message_id=f"msg-{number:016x}",
        sender_id="usr-b",
        receiver_id=None,
        group_id=None,
        content=f"{number}",
        envelope=None,
        media=None,
        reply_to=None,
        timestamp_ms=1_764_000_000_000,
        sequence=number,
    )


def make_world(monkeypatch: pytest.MonkeyPatch, opened_with: str | None = None) -> World:
    world = World(opened_with)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: world.now))
    return world


@pytest.fixture
async def plain(monkeypatch: pytest.MonkeyPatch) -> World:
    """Of a client that knows nothing of `last_poll`."""
    return make_world(monkeypatch)


@pytest.fixture
async def careful(monkeypatch: pytest.MonkeyPatch) -> World:
    """Of a client that begins with an empty `last_poll`."""
    return make_world(monkeypatch, "")


# --- Opening ---------------------------------------------------------------------------------------------------------


async def test_where_nothing_waits_the_first_answer_is_due_at_once(plain: World) -> None:
    plain.open()
    assert await plain.is_due()
    frames, _ = plain.poll()
    assert frames == ["connected", server_frames.inbox_drained(0)]


async def test_the_first_answer_waits_for_what_the_inbox_holds(plain: World) -> None:
    plain.open(counter=2, waits=True)
    assert not await plain.is_due()
    [(generation, _, _)] = plain.asked
    plain.connection.page(generation, "e1", 0, 2, True, [message(1), message(2)])
    assert await plain.is_due()
    frames, _ = plain.poll()
    assert frames == ["connected", message(1), message(2), server_frames.inbox_drained(2)]


async def test_the_first_answer_does_not_wait_for_ever_for_a_drain(
    plain: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OPENING_SECONDS", 0.01)
    plain.open(counter=2, waits=True)
    async with asyncio.timeout(5):
        while not await plain.is_due():
            await asyncio.sleep(0.01)
    assert plain.poll()[0] == ["connected"]


async def test_a_device_that_was_at_another_gateway_is_answered_when_there_is_something_to_say(plain: World) -> None:
    plain.open(previous="gw-2")
    assert not await plain.is_due()
    plain.push(1)
    assert await plain.is_due()


async def test_a_device_that_was_at_this_gateway_is_answered_at_once(plain: World) -> None:
    plain.open(previous=SERVER_ID)
    assert await plain.is_due()


async def test_a_client_that_names_all_that_there_is_goes_on_live(careful: World) -> None:
    careful.open(counter=5, waits=True, received=PollMark(client=3, connection_id=3, number=9, position=5, epoch="e1"))
    assert not careful.asked
    careful.poll("")
    assert careful.poll()[0][-1:] != [careful.push(6)]
    assert careful.connection.acknowledged_position() == 5


async def test_a_client_that_names_less_gets_what_is_newer(careful: World) -> None:
    careful.open(counter=5, waits=True, received=PollMark(client=3, connection_id=3, number=9, position=4, epoch="e1"))
    [(_, epoch, after)] = careful.asked
    assert (epoch, after) == ("e1", 4)


async def test_a_place_in_another_epoch_says_nothing(careful: World) -> None:
    careful.open(counter=5, waits=True, received=PollMark(client=3, connection_id=3, number=9, position=4, epoch="e0"))
    [(_, _, after)] = careful.asked
    assert after == 0
    assert careful.connection.acknowledged_position() == 0


# --- What has arrived ------------------------------------------------------------------------------------------------


async def test_a_named_answer_is_acknowledged_at_once(careful: World) -> None:
    careful.open(counter=4)
    _, mark = careful.poll("")
    assert careful.connection.acknowledged_position() == 0
    careful.poll(mark)
    assert careful.connection.acknowledged_position() == 4


async def test_an_answer_that_is_not_named_comes_again_with_what_is_new(careful: World) -> None:
    careful.open()
    _, mark = careful.poll("")
    first = careful.push(1)
    assert careful.poll(mark)[0] == [first]
    second = careful.push(2)
    frames, mark = careful.poll(mark)
    assert frames == [first, second]
    assert careful.connection.acknowledged_position() == 0
    assert careful.poll(mark)[0] == []
    assert careful.connection.acknowledged_position() == 2


async def test_without_names_an_answer_is_acknowledged_two_polls_later(plain: World) -> None:
    plain.open(counter=4)
    plain.poll()
    plain.poll()
    assert plain.connection.acknowledged_position() == 0
    plain.poll()
    assert plain.connection.acknowledged_position() == 4


async def test_without_names_messages_come_again_until_they_are_confirmed_and_hold_back_receipts(plain: World) -> None:
    plain.open()
    plain.poll()
    first = plain.push(1)
    assert plain.poll()[0] == [first]
    second = plain.push(2)
    assert plain.poll()[0] == [first, second]
    plain.poll()
    plain.poll()
    assert plain.connection.acknowledged_position() == 0
    plain.connection.note_confirmed([f"msg-{number:016x}" for number in (1, 2)])
    assert plain.poll()[0] == []
    plain.poll()
    assert plain.connection.acknowledged_position() == 2


async def test_a_heartbeat_frame_acknowledges_nothing(plain: World) -> None:
    plain.open(counter=4)
    plain.poll()
    for _ in range(5):
        plain.connection.note_heartbeat()
    assert plain.connection.acknowledged_position() == 0


async def test_every_poll_is_a_heartbeat(plain: World) -> None:
    plain.open()
    for _ in range(3):
        plain.poll()
    assert plain.beats == 3


async def test_a_message_that_is_never_confirmed_makes_the_connection_owe(plain: World) -> None:
    plain.open()
    plain.poll()
    plain.push(1)
    plain.poll()
    plain.now += ANSWER_TIMEOUT_SECONDS - 1
    plain.poll()
    assert not plain.connection.owes_confirmations
    plain.now += 1
    assert plain.connection.owes_confirmations
    plain.connection.note_confirmed([f"msg-{1:016x}"])
    assert not plain.connection.owes_confirmations


async def test_a_message_that_no_answer_has_carried_owes_nothing(plain: World) -> None:
    plain.open()
    plain.poll()
    plain.push(1)
    plain.now += ANSWER_TIMEOUT_SECONDS
    assert not plain.connection.owes_confirmations


async def test_more_than_may_wait_stays_in_the_inbox_and_closes_nothing(plain: World) -> None:
    plain.open()
    plain.poll()
    plain.poll()
    for number in range(1, 5_000):
        plain.push(number)
    assert not plain.connection.outgoing.closing
    frames, _ = plain.poll()
    assert frames == [message(number) for number in range(1, CROWDED_FRAMES + 1)]
    plain.connection.note_confirmed([f"msg-{number:016x}" for number in range(1, 5_000)])
    assert not plain.asked
    plain.connection.note_poll(None)
    [(_, _, after)] = plain.asked
    assert after == CROWDED_FRAMES


# --- Whose poll it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened_with", "last_poll", "continued"),
    [
        (None, None, True),
        (None, "", False),
        (None, "7.7.1.0.e1", True),
        ("", None, False),
        ("", "", False),
        ("", "7.7.1.0.e1", True),
        ("", "6.6.9.0.e1", False),
        ("6.6.9.0.e1", "6.6.9.0.e1", True),
        ("6.6.9.0.e1", "6.7.1.0.e1", True),
        ("6.6.9.0.e1", "6.9.1.0.e1", True),
        ("6.6.9.0.e1", "9.9.1.0.e1", False),
    ],
)
async def test_a_poll_goes_on_or_begins_anew(
    monkeypatch: pytest.MonkeyPatch, opened_with: str | None, last_poll: str | None, continued: bool
) -> None:
    world = make_world(monkeypatch, opened_with)
    world.open()
    assert world.connection.is_continued_by(last_poll) is continued


async def test_a_name_that_no_answer_had_is_refused(careful: World) -> None:
    careful.open()
    with pytest.raises(PollError, match="last_poll"):
        careful.connection.is_continued_by("nonsense")


@pytest.mark.parametrize(
    ("opened_with", "newcomer", "reason"),
    [
        ("6.6.9.0.e1", 6, CloseReason.MOVED),
        ("6.6.9.0.e1", 8, CloseReason.REPLACED),
        ("6.6.9.0.e1", 0, CloseReason.REPLACED),
        ("", 7, CloseReason.MOVED),
        (None, 0, CloseReason.REPLACED),
    ],
)
async def test_a_newer_connection_at_another_gateway_is_the_same_client_s_or_somebody_else_s(
    monkeypatch: pytest.MonkeyPatch, opened_with: str | None, newcomer: int, reason: CloseReason
) -> None:
    world = make_world(monkeypatch, opened_with)
    world.open()
    world.connection.hand_over(newcomer)
    assert world.connection.answers.close_reason is reason


async def test_what_comes_after_the_handoff_is_not_said_to_have_been_answered(careful: World) -> None:
    careful.open()
    careful.poll("")
    one = careful.push(1)
    careful.connection.hand_over(7)
    careful.push(2)
    frames, mark = careful.connection.answer()
    assert (frames, str(mark)) == (["connected", server_frames.inbox_drained(0), one], "7.7.2.1.e1")


async def test_frames_that_come_while_it_moves_are_not_taken(
    careful: World, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 0
    careful.open()
    taken: list[str] = []

    def take(process: Any, connection: PollConnection, frame: str) -> int:
        taken.append(frame)
        connection.hand_over(7)
        return 1

    monkeypatch.setattr(module, "handle_frame", take)
    assert not await careful.connection.handle(["one", "two"])
    assert taken == ["one"]


async def test_all_frames_of_a_poll_are_taken(careful: World, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 0
    careful.open()
    monkeypatch.setattr(module, "handle_frame", lambda process, connection, frame: 1)
    assert await careful.connection.handle(["one", "two"])
    assert await careful.connection.handle([])


async def test_a_heartbeat_that_finds_a_newer_connection_gives_the_handoff_time_to_say_whose_it_is(
    careful: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HANDOFF_SECONDS", 0.01)
    careful.open()
    careful.connection.look(Standing(replaced=True, epoch="e1", counter=0))
    assert not careful.connection.outgoing.closing
    async with asyncio.timeout(5):
        while not careful.connection.outgoing.closing:
            await asyncio.sleep(0.01)
    assert careful.connection.answers.close_reason is CloseReason.REPLACED
