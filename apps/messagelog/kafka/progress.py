"""How far a reader is with each of its partitions: polled, done, and written down."""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.messagelog.base import LogRecord


@dataclass(slots=True)
class _Partition:
    before: int
    """The position before the first one polled in this assignment."""
    polled: int
    done: int
    written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Positions that were expected and did not come: the log no longer has them, or begins again below them."""

    partition: int
    expected: int
    found: int


class Progress:
    """Positions of the partitions that a reader has. Used by the relay's two threads and the client's own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._partitions: dict[int, _Partition] = {}

    def note_polled(self, partition: int, records: Sequence[LogRecord], committed: int | None = None) -> Gap | None:
        """Records of a partition, in order, are handed out. ``committed`` counts for the first ones of an assignment.

        Returns the gap between them and what came before, if there is one.
        """
        first, last = records[0].position, records[-1].position
        with self._lock:
            known = self._partitions.get(partition)
            before = known.polled if known else committed
            if known is None or first <= known.polled:
                known = self._partitions[partition] = _Partition(first - 1, last, first - 1, first - 1)
            known.polled = last
        if before is None or first == before + 1:
            return None
        return Gap(partition=partition, expected=before + 1, found=first)

    def is_new(self, partition: int) -> bool:
        """Whether nothing was polled of it in this assignment."""
        return partition not in self._partitions

    def note_done(self, records: Iterable[LogRecord]) -> None:
        """These took effect; of no account are those of partitions that were given up since."""
        with self._lock:
            for record in records:
                known = self._partitions.get(record.partition)
                if known and known.done < record.position <= known.polled:
                    known.done = record.position

    def is_settled(self, partitions: Collection[int]) -> bool:
        """Whether all that was polled of these partitions is done."""
        with self._lock:
            return all(
                known.done >= known.polled for partition, known in self._partitions.items() if partition in partitions
            )

    def unwritten(self, partitions: Collection[int] | None = None) -> dict[int, int]:
        """Partition → the position up to which all is done, where that is not written down yet."""
        with self._lock:
            return {
                partition: known.done
                for partition, known in self._partitions.items()
                if known.done > known.written and (partitions is None or partition in partitions)
            }

    def note_written(self, positions: Mapping[int, int]) -> None:
        """The group's positions are these now."""
        with self._lock:
            for partition, position in positions.items():
                known = self._partitions.get(partition)
                if known and position <= known.done:
                    known.written = max(known.written, position)

    def polled(self) -> dict[int, int]:
        """Partition → last position polled."""
        with self._lock:
            return {partition: known.polled for partition, known in self._partitions.items()}

    def forget(self, partitions: Iterable[int]) -> None:
        """These are no longer ours."""
        with self._lock:
            for partition in partitions:
                self._partitions.pop(partition, None)

    def forget_all(self) -> None:
        """None is ours any more."""
        with self._lock:
            self._partitions.clear()
