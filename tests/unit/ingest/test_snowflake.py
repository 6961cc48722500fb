"""Ids are unique and grow, whatever the clock does; without a lease there are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ingest.snowflake import MAX_BORROWED_MS, CannotIssue, SnowflakeIssuer
from apps.protocol.ids import SNOWFLAKE_EPOCH_MS, is_message_id, message_id

NOW = SNOWFLAKE_EPOCH_MS + 1_000_000


def issuer_at(times: list[int], *, worker: int = 3, monotonic: float = 0.0) -> SnowflakeIssuer:
    moments = iter(times)
    issuer = SnowflakeIssuer(lambda: next(moments), lambda: monotonic)
    issuer.use_lease(worker, 10.0)
    return issuer


@given(st.lists(st.integers(-MAX_BORROWED_MS // 100, 50), min_size=1, max_size=80))
def test_ids_grow_while_the_clock_steps_back_and_forth(steps: list[int]) -> None:
    times = [NOW + sum(steps[: index + 1]) for index in range(len(steps))]
    issuer = issuer_at(times)
    numbers = [issuer.issue()[0] for _ in times]
    assert numbers == sorted(set(numbers))


def test_a_millisecond_that_is_full_borrows_from_the_next() -> None:
    issuer = issuer_at([NOW] * 5_000)
    issued = [issuer.issue() for _ in range(5_000)]
    assert len({number for number, _ in issued}) == 5_000
    assert issued[0][1] == NOW
    assert issued[-1][1] == NOW + 1


def test_a_clock_far_behind_stops_the_issue() -> None:
    issuer = issuer_at([NOW, NOW - MAX_BORROWED_MS - 1])
    issuer.issue()
    with pytest.raises(CannotIssue):
        issuer.issue()


def test_under_another_number_the_issue_goes_on_by_a_clock_far_behind() -> None:
    behind = NOW - 3_600_000
    issuer = issuer_at([NOW, NOW, behind, behind], worker=3)
    first, _ = issuer.issue()
    assert not issuer.is_ahead_of_its_clock
    assert issuer.is_ahead_of_its_clock
    issuer.use_lease(4, 10.0)
    second, timestamp_ms = issuer.issue()
    assert timestamp_ms == behind
    assert second != first


def test_nothing_is_issued_before_a_lease_or_after_it_ran_out() -> None:
    issuer = SnowflakeIssuer(lambda: NOW, lambda: 10.0)
    with pytest.raises(CannotIssue):
        issuer.issue()
    issuer.use_lease(1, 10.0)
    with pytest.raises(CannotIssue):
        issuer.issue()
    issuer.use_lease(1, 10.1)
    issuer.issue()


def test_ids_of_two_workers_differ_and_sort_by_time_as_text() -> None:
    early, other = issuer_at([NOW], worker=1).issue()[0], issuer_at([NOW], worker=1023).issue()[0]
    late = issuer_at([NOW + 1], worker=0).issue()[0]
    assert len({early, other, late}) == 3
    assert message_id(early) < message_id(other) < message_id(late)
    assert is_message_id(message_id(late))
