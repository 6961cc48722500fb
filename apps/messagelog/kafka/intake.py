"""What a poll brought: records as everybody else knows them, and whether any are missing before them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import TopicPartition

from apps.messagelog.base import LogRecord, sequence_of
from apps.messagelog.kafka.group import ReaderGroup
from apps.messagelog.kafka.progress import Gap, Progress
from apps.observability.metrics import LOG_GAPS

logger = logging.getLogger(__name__)


class Intake:
    """Takes in the consumer's records of one topic. Raises LogUnavailable."""

    def __init__(self, group: ReaderGroup, progress: Progress) -> None:
        self._group = group
        self._progress = progress

    def take(self, generation: int, found: Mapping[TopicPartition, Sequence[Any]]) -> list[LogRecord]:
        """Convert and note them; a gap before them is an error line and counted, since messages are lost."""
        late_starts = [partition for partition, records in found.items() if self._starts_late(partition, records)]
        committed = self._group.list_committed(late_starts) if late_starts else {}
        taken: list[LogRecord] = []
        for partition, records in found.items():
            read = [_to_record(record, generation) for record in records]
            gap = self._progress.note_polled(partition.partition, read, committed.get(partition))
            if gap is not None:
                _report(gap)
            taken += read
        return taken

    def _starts_late(self, partition: TopicPartition, records: Sequence[Any]) -> bool:
        """Whether what comes first in this assignment is not the partition's first record."""
        return bool(records[0].offset) and self._progress.is_new(partition.partition)


def _to_record(record: Any, generation: int) -> LogRecord:
    position = record.offset + 1
    # Bytes that are no UTF-8 stay what they are: no JSON, hence a dead letter, where they can be looked at.
    payload = (record.value or b"").decode(errors="surrogateescape")
    sequence = sequence_of(generation, position)
    return LogRecord(partition=record.partition, position=position, sequence=sequence, payload=payload)


def _report(gap: Gap) -> None:
    LOG_GAPS.inc()
    logger.error(
        "the log has lost records before they were read: partition %d goes on at position %d in place of %d",
        gap.partition,
        gap.found,
        gap.expected,
    )
