"""What every log does. Two adapters exist: Valkey Streams here, Kafka in the production profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

GENERATION_SHIFT = 40


class LogUnavailable(Exception):
    """The log did not say that the records are durable. They may be: append the same ones again before any newer."""


class LogNotSetUp(LogUnavailable):
    """The log is new, or came back empty: it must be set up, so that its sequences go on above the old ones."""


class LeaseLost(Exception):
    """Another reader of the group has taken over: stop at once; what was done so far may be done again by the other."""


class GroupIsRead(Exception):
    """The group's positions cannot be set while somebody reads for it; the text says who."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record to append: its key decides the partition, and so its order among others of the key."""

    key: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One record as read. ``sequence`` = generation × 2^40 + position (positions are dense and begin with 1)."""

    partition: int
    position: int
    sequence: int
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be processed, as it was read, and why."""

    partition: int
    sequence: int
    reason: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStatus:
    """How far one partition is: last written position, first kept one, and each group's committed one."""

    partition: int
    first: int
    last: int
    committed: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """The log at a glance, for operators and health checks."""

    generation: int
    partitions: tuple[PartitionStatus, ...]
    readers: Mapping[str, Mapping[str, tuple[int, ...]]]
    """Group → who reads for it now → that reader's partitions."""
    dead_letters: int

    def groups(self) -> list[str]:
        """Those that have committed anything, by name."""
        return sorted({group for partition in self.partitions for group in partition.committed})

    def lags(self, group: str) -> list[int]:
        """Records that a group has still to read, for each partition."""
        return [max(0, partition.last - partition.committed.get(group, 0)) for partition in self.partitions]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLog:
    """What the users' database remembers of the log: its generation, and which log that was ("" is not known)."""

    generation: int
    identity: str


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: CRC-32 modulo the number of partitions, which never changes for a log."""
    return crc32(key.encode()) % partitions


def sequence_of(generation: int, position: int) -> int:
    """A record's sequence: grows within a partition, across generations of the log too."""
    return (generation << GENERATION_SHIFT) + position


class LogAppender(Protocol):
    """The writing side, in a gateway's event loop."""

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        """Append a batch; returns the sequences, in order, once all are durable. Raises LogUnavailable."""

    async def wait_until_available(self) -> None:
        """Return when the log answers again, so that an unsettled batch is not sent into a silent server again and
        again.
        """

    def close(self) -> None:
        """Let go of what it holds, without waiting; nothing is appended any more."""


class LogReader(Protocol):
    """The reading side of one consumer group, in a process of its own. Only ``commit`` may come from any thread."""

    def poll(self, limit: int, wait_ms: int) -> list[LogRecord]:
        """At most ``limit`` records after those already polled, in order within a partition; [] after ``wait_ms``.

        Takes the group's lease, or a share of its partitions, first, waiting for it at most ``wait_ms``. Raises
        LogUnavailable or LeaseLost; after either, reading goes on from the committed positions. LogNotSetUp is one of
        the former.
        """

    def commit(self, records: Sequence[LogRecord]) -> None:
        """All up to these has taken effect; it is written with a later poll. Of partitions that others have taken over
        meanwhile nothing is written.
        """

    def rest(self, seconds: float) -> None:
        """Wait without taking records, and remain the group's reader meanwhile. Raises LogUnavailable or LeaseLost."""

    def close(self) -> None:
        """Write what was committed and let others read at once. Raises LogUnavailable."""


class MessageLog(Protocol):
    """A log: where to append, where to read, and how it stands."""

    def appender(self) -> LogAppender:
        """The running loop's appender."""

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Append from a thread that may wait, for what is rare; see LogAppender. Raises LogUnavailable: then the
        entries may or may not be on the log.
        """

    def reader(self, group: str, reader_id: str) -> LogReader:
        """A reader of a consumer group, which starts at the group's committed positions (at first: the oldest
        record).
        """

    def bury(self, record: LogRecord, reason: str) -> None:
        """Put a record that cannot be processed on the dead-letter stream. Raises LogUnavailable."""

    def list_dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest records that were buried, newest first. Raises LogUnavailable."""

    def set_up(self, known: KnownLog) -> KnownLog:
        """Make the log usable and return what is to be remembered of it: the generation is raised above the known one
        if the log is new, or is not the one that was known.

        Raises LogUnavailable, or ValueError where the server is not configured to keep what it acknowledged, or where
        the log was made otherwise than the settings say.
        """

    def status(self) -> LogStatus:
        """How the log stands. Raises LogUnavailable."""

    def find_positions(self, at_ms: int) -> dict[int, int]:
        """Partition → a position before which nothing was written at or after ``at_ms``. Raises LogUnavailable."""

    def rewind(self, group: str, positions: Mapping[int, int]) -> None:
        """Let a group read on from these positions: partition → the next one to read. Other partitions stay.

        Raises GroupIsRead while the group has a reader, or LogUnavailable.
        """
