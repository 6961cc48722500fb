"""The relay's loop: what waits, what is taken apart, what is buried, and when positions are committed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from django.db import DatabaseError, DataError, ProgrammingError

from apps.inbox.inbox import Change
from apps.messagelog.base import LeaseLost, LogNotSetUp, LogRecord, LogUnavailable
from apps.messagestore.base import StoreUnavailable
from apps.relay import delivery_lane
from apps.relay import runner as runner_module
from apps.relay.delivery_lane import DeliveryLane
from apps.relay.group_records import GroupHints
from apps.relay.pipeline import Stored
from apps.relay.runner import TRIES_OF_A_RECORD, RelayRunner
from apps.valkey.pools import ValkeyError


def record(position: int, payload: str = "fine") -> LogRecord:
    return LogRecord(partition=0, position=position, sequence=position, payload=payload)


@dataclass
class ScriptedLog:
    """A log and its reader in one: each poll gives the next answer, then stops the runner."""

    answers: list[list[LogRecord] | Exception]
    committed: list[int] = field(default_factory=list)
    buried: list[tuple[int, str]] = field(default_factory=list)
    rested: list[float] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None
    closed: bool = False

    def reader(self, group: str, reader_id: str) -> "ScriptedLog":
        return self

    def poll(self, limit: int, wait_ms: int) -> list[LogRecord]:
        if not self.answers:
            self.stop()
            return []
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def commit(self, records: Sequence[LogRecord]) -> None:
        self.committed += [one.position for one in records]

    def rest(self, seconds: float) -> None:
        self.rested.append(seconds)

    def bury(self, one: LogRecord, reason: str) -> None:
        self.buried.append((one.position, reason))

    def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedPipeline:
    """Fails for poison, is down for as long as told, and remembers what took effect."""

    done: list[int] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)
    calls: int = 0
    down_for: int = 0
    down_with: Exception = field(default_factory=lambda: StoreUnavailable("down"))
    withdrawal_down_for: int = 0

    def store_batch(self, records: Sequence[LogRecord]) -> Stored:
        self.calls += 1
        if self.down_for:
            self.down_for -= 1
            raise self.down_with
        if any(one.payload == "poison" for one in records):
            raise RuntimeError("cannot be processed")
        self.done += [one.position for one in records if one.payload != "broken"]
        return Stored(
            changes=[change(one.position) for one in records],
            hints=GroupHints(to_fan_out={f"grp-{one.position}" for one in records}),
            broken=[(one, "no JSON") for one in records if one.payload == "broken"],
        )

    def withdraw(self, one: LogRecord) -> Stored:
        if self.withdrawal_down_for:
            self.withdrawal_down_for -= 1
            raise StoreUnavailable("down")
        self.withdrawn.append(one.position)
        return Stored(changes=[], broken=[])


@dataclass
class ScriptedHinter:
    """Notes what was committed when hints were passed on; fails as often as told."""

    log: ScriptedLog | None = None
    fail: int = 0
    passed: list[tuple[list[str], int]] = field(default_factory=list)
    looks: int = 0

    def pass_on(self, hints: GroupHints) -> None:
        if self.fail:
            self.fail -= 1
            raise ValkeyError("down")
        self.passed.append((sorted(hints.to_fan_out), len(self.log.committed) if self.log else 0))

    def look(self) -> None:
        self.looks += 1


def change(number: int) -> Change:
    return Change(kind="put", user_id="usr-aaaaaaaaaaaa", device_id="dev-1", member=str(number))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module.time, "sleep", lambda seconds: None)


def run(
    log: ScriptedLog,
    pipeline: ScriptedPipeline,
    set_up: Callable[[], int] = lambda: 1,
    deliver: Callable[[Sequence[Change]], object] = lambda changes: None,
    hinter: "ScriptedHinter | None" = None,
) -> None:
    lane = DeliveryLane(deliver, lambda lost: None)
    runner = RelayRunner(
        log=log,  # type: ignore[arg-type]
        pipeline=pipeline,  # type: ignore[arg-type]
        lane=lane,
        reader_id="r1",
        set_up_log=set_up,
        hinter=hinter or ScriptedHinter(),  # type: ignore[arg-type]
    )
    log.stop = runner.stop
    runner.run()


def test_a_batch_is_committed_after_it_took_effect() -> None:
    log, pipeline = ScriptedLog([[record(1), record(2)]]), ScriptedPipeline()
    run(log, pipeline)
    assert (pipeline.done, log.committed, log.closed) == ([1, 2], [1, 2], True)


def test_nothing_is_committed_before_it_is_delivered() -> None:
    log, pipeline = ScriptedLog([[record(1)], [record(2)]]), ScriptedPipeline()
    seen: list[list[int]] = []
    run(log, pipeline, deliver=lambda changes: seen.append(list(log.committed)))
    assert all(len(committed) <= index for index, committed in enumerate(seen)), seen
    assert log.committed == [1, 2]


def test_a_batch_that_was_not_delivered_before_the_end_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "LAST_BATCH_SECONDS", 0.05)
    log, pipeline = ScriptedLog([[record(1)]]), ScriptedPipeline()

    def deliver(changes: Sequence[Change]) -> None:
        raise ConnectionError("the cache is down")

    run(log, pipeline, deliver=deliver)
    assert (pipeline.done, log.committed) == ([1], [])


def test_while_a_dependency_is_down_the_batch_waits_and_nothing_is_skipped() -> None:
    log, pipeline = ScriptedLog([[record(1)], [record(2)]]), ScriptedPipeline(down_for=7)
    run(log, pipeline)
    assert (pipeline.done, log.committed, log.buried) == ([1, 2], [1, 2], [])


def test_a_poison_record_is_found_by_halves_tried_five_times_buried_and_withdrawn() -> None:
    batch = [record(number, "poison" if number == 77 else "fine") for number in range(1, 101)]
    log, pipeline = ScriptedLog([batch]), ScriptedPipeline()
    run(log, pipeline)
    assert sorted(pipeline.done) == [number for number in range(1, 101) if number != 77]
    assert [position for position, _ in log.buried] == pipeline.withdrawn == [77]
    assert log.committed == list(range(1, 101))
    assert pipeline.calls < 2 * 8 + TRIES_OF_A_RECORD, "halves, not one by one"


def test_a_broken_record_is_buried_without_disturbing_the_others() -> None:
    log, pipeline = ScriptedLog([[record(1), record(2, "broken"), record(3)]]), ScriptedPipeline()
    run(log, pipeline)
    assert (pipeline.done, log.buried, pipeline.calls) == ([1, 3], [(2, "no JSON")], 1)


def test_a_lost_lease_and_a_silent_log_are_survived() -> None:
    log = ScriptedLog([LeaseLost("other"), LogUnavailable("away"), [record(1)]])
    pipeline = ScriptedPipeline()
    run(log, pipeline)
    assert log.committed == [1]


def test_a_new_log_is_set_up() -> None:
    calls: list[int] = []
    log = ScriptedLog([LogNotSetUp("new"), [record(1)]])
    run(log, ScriptedPipeline(), lambda: calls.append(1) or 2)
    assert (calls, log.committed) == ([1], [1])


def test_a_stop_while_a_dependency_is_down_commits_nothing() -> None:
    log, pipeline = ScriptedLog([[record(1)]]), ScriptedPipeline(down_for=3)
    original = pipeline.store_batch

    def store_batch(records: Sequence[LogRecord]) -> Stored:
        if pipeline.down_for == 1:
            log.stop()
        return original(records)

    pipeline.store_batch = store_batch  # type: ignore[method-assign]
    run(log, pipeline)
    assert log.committed == []


def test_while_a_dependency_is_down_the_log_is_kept_with_pauses_that_grow() -> None:
    log = ScriptedLog([[record(1)]])
    run(log, ScriptedPipeline(down_for=4))
    assert log.rested == [0.05, 0.1, 0.2, 0.4]


def test_while_the_cache_is_down_the_log_is_kept_and_nothing_more_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_lane, "PLACE_SECONDS", 0.01)
    log, pipeline = ScriptedLog([[record(number)] for number in range(1, 6)]), ScriptedPipeline()

    def deliver(changes: Sequence[Change]) -> None:
        if len(log.rested) < 3:
            raise ConnectionError("the cache is down")

    run(log, pipeline, deliver=deliver)
    assert (log.committed, pipeline.done) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert len(log.rested) >= 3


@pytest.mark.parametrize("error", [LeaseLost("other"), LogUnavailable("away")])
def test_a_log_that_is_lost_while_a_batch_waits_takes_the_batch_along(error: Exception) -> None:
    log = ScriptedLog([[record(1)], [record(1)]])
    pipeline = ScriptedPipeline(down_for=1)

    def rest(seconds: float) -> None:
        raise error

    log.rest = rest  # type: ignore[method-assign]
    run(log, pipeline)
    assert (pipeline.done, log.committed, log.buried) == ([1], [1], [])


@pytest.mark.parametrize("error", [ProgrammingError("no such table"), DatabaseError("malformed")])
def test_an_error_of_the_database_that_no_record_can_cause_waits(error: Exception) -> None:
    log, pipeline = ScriptedLog([[record(1), record(2)]]), ScriptedPipeline(down_for=20, down_with=error)
    run(log, pipeline)
    assert (pipeline.done, log.committed, log.buried) == ([1, 2], [1, 2], [])


def test_what_the_database_refuses_of_a_record_is_a_fault_of_the_record() -> None:
    log, pipeline = ScriptedLog([[record(1)]]), ScriptedPipeline(down_for=20, down_with=DataError("too long"))
    run(log, pipeline)
    assert [position for position, _ in log.buried] == pipeline.withdrawn == log.committed == [1]


def test_a_sender_is_told_of_a_dead_letter_even_if_a_dependency_goes_down_meanwhile() -> None:
    log, pipeline = ScriptedLog([[record(1, "poison")]]), ScriptedPipeline(withdrawal_down_for=3)
    run(log, pipeline)
    assert (pipeline.withdrawn, log.committed) == ([1], [1])


def test_records_that_are_many_changes_are_stored_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "BATCH_CHARACTERS", 10)
    log = ScriptedLog([[record(1), record(2), record(3), record(4, "x" * 20), record(5)]])
    pipeline = ScriptedPipeline()
    run(log, pipeline)
    assert (pipeline.done, log.committed, pipeline.calls) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 4)


def test_work_for_groups_is_asked_for_before_the_batch_is_committed_and_again_where_the_cache_was_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery_lane, "FIRST_PAUSE_SECONDS", 0.001)
    log = ScriptedLog([[record(1), record(2)]])
    hinter = ScriptedHinter(log, fail=2)
    run(log, ScriptedPipeline(), hinter=hinter)
    assert hinter.passed == [(["grp-1", "grp-2"], 0)]
    assert hinter.looks >= 1
    assert log.committed == [1, 2]


def test_what_a_batch_left_to_do_for_groups_is_kept_when_it_is_taken_apart() -> None:
    log = ScriptedLog([[record(1), record(2, "poison"), record(3)]])
    hinter = ScriptedHinter()
    run(log, ScriptedPipeline(), hinter=hinter)
    assert hinter.passed == [(["grp-1", "grp-3"], 0)]
