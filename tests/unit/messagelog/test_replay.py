"""What a start means: which records are read again, and which starts cannot be."""

import time
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from apps.messagelog.base import LogStatus, PartitionStatus
from apps.messagelog.replay import NoSuchStart, Replay, plan_replay

HOUR_MS = 3_600_000
RETENTION_MS = 24 * HOUR_MS


def log_with(*partitions: tuple[int, int, int], found: dict[int, int] | None = None) -> Mock:
    """Make a log of partitions (first, last, committed by the relay) where ``found`` are the positions of any time."""
    log = Mock()
    log.status.return_value = LogStatus(
        generation=1,
        partitions=tuple(
            PartitionStatus(partition=number, first=first, last=last, committed={"relay": committed})
            for number, (first, last, committed) in enumerate(partitions)
        ),
        readers={},
        dead_letters=0,
    )
    log.find_positions.return_value = found or {}
    return log


def plan(log: Mock, start: str, group: str = "relay") -> Replay:
    return plan_replay(log, group, start, RETENTION_MS)


def hours_ago(hours: float) -> str:
    return datetime.fromtimestamp(time.time() - hours * 3_600, UTC).isoformat()


def test_oldest_is_all_that_is_kept_of_what_the_group_has_read() -> None:
    assert plan(log_with((1, 10, 10), (5, 8, 6), (0, 0, 0), (0, 7, 7)), "oldest") == Replay(
        positions={0: 1, 1: 5}, records=12
    )


def test_a_partition_and_position_is_that_partition_alone() -> None:
    assert plan(log_with((1, 10, 10), (1, 10, 8)), "1:7") == Replay(positions={1: 7}, records=2)


def test_nothing_is_ever_skipped_forward() -> None:
    assert plan(log_with((1, 10, 3)), "0:5") == Replay(positions={}, records=0)
    assert plan(log_with((1, 10, 10)), "oldest", group="new") == Replay(positions={}, records=0)


def test_a_time_is_looked_up_in_the_log_and_is_utc_where_it_names_no_zone() -> None:
    log = log_with((1, 10, 10), found={0: 4})
    assert plan(log, "2030-01-31T12:00:00") == Replay(positions={0: 4}, records=7)
    assert log.find_positions.call_args.args == (1_896_091_200_000,)
    plan(log, "2030-01-31T12:00:00+02:00")
    assert log.find_positions.call_args.args == (1_896_091_200_000 - 2 * HOUR_MS,)


def test_an_old_time_will_do_while_nothing_was_trimmed() -> None:
    assert plan(log_with((1, 10, 10), (0, 0, 0), found={0: 1, 1: 1}), hours_ago(48)).records == 10


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("yesterday", "it takes oldest, PARTITION:POSITION, or a time"),
        ("0:first", "it takes oldest, PARTITION:POSITION, or a time"),
        ("2:1", "there is no partition 2: the log has 0 to 1"),
        ("1:4", "keeps partition 1 from position 5 on, not from 4"),
        ("0:7", "keeps partition 0 from position 8 on, not from 7"),
        (hours_ago(25), "LOG_RETENTION_HOURS=24 hours"),
    ],
)
def test_a_start_that_cannot_be_is_refused_in_one_line(start: str, expected: str) -> None:
    with pytest.raises(NoSuchStart, match=expected) as refused:
        plan(log_with((0, 7, 7), (5, 9, 9)), start)
    assert "\n" not in str(refused.value)
