"""Reading a part of the log again: which records that is, and setting a consumer group back to them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.messagelog.base import LogStatus, MessageLog, PartitionStatus

OLDEST = "oldest"
FORMS = f"{OLDEST}, PARTITION:POSITION, or a time such as 2030-01-31T12:00:00Z"


class NoSuchStart(ValueError):
    """A start that cannot be: the text is one line for the person who asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Partition → the first position to read again, and how many records of the group's past that is."""

    positions: Mapping[int, int]
    records: int


def plan_replay(log: MessageLog, group: str, start: str, retention_ms: int) -> Replay:
    """Find what a start (see ``FORMS``) means for a group now.

    Only what the group has read already is read again; nothing is ever skipped forward. Raises NoSuchStart where the
    start has no form, or lies before what the log keeps; LogUnavailable.
    """
    status = log.status()
    if start == OLDEST:
        wanted = {partition.partition: _first_kept(partition) for partition in status.partitions}
    elif ":" in start and "-" not in start:
        wanted = _one_partition(status, start)
    else:
        wanted = _since(log, status, _parse_time(start), retention_ms)
    committed = {partition.partition: partition.committed.get(group, 0) for partition in status.partitions}
    back = {partition: position for partition, position in wanted.items() if position <= committed[partition]}
    return Replay(
        positions=back, records=sum(committed[partition] - position + 1 for partition, position in back.items())
    )


def _first_kept(partition: PartitionStatus) -> int:
    """The first position that can still be read; where nothing is kept, the next one to come."""
    return partition.first or partition.last + 1


def _one_partition(status: LogStatus, start: str) -> dict[int, int]:
    partition_text, _, position_text = start.partition(":")
    if not (partition_text.isdecimal() and position_text.isdecimal()):
        raise NoSuchStart(f"{start!r} is no start: it takes {FORMS}")
    partition, position = int(partition_text), int(position_text)
    if partition >= len(status.partitions):
        raise NoSuchStart(f"there is no partition {partition}: the log has 0 to {len(status.partitions) - 1}")
    first = _first_kept(status.partitions[partition])
    if position < first:
        raise NoSuchStart(f"the log keeps partition {partition} from position {first} on, not from {position}")
    return {partition: position}


def _parse_time(start: str) -> int:
    try:
        at = datetime.fromisoformat(start)
    except ValueError:
        raise NoSuchStart(f"{start!r} is no start: it takes {FORMS}") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _since(log: MessageLog, status: LogStatus, at_ms: int, retention_ms: int) -> dict[int, int]:
    # Trimmed is what is older than the retention: only of an earlier time may something be missing.
    trimmed = [partition.partition for partition in status.partitions if _first_kept(partition) > 1]
    if trimmed and at_ms < int(time.time() * 1000) - retention_ms:
        raise NoSuchStart(
            f"the log keeps LOG_RETENTION_HOURS={retention_ms // 3_600_000} hours, and something older is gone already:"
            f" it takes a later time, or {OLDEST}"
        )
    return log.find_positions(at_ms)
