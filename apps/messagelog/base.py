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
    readers: Mapping[str, str]
    """Group → who holds its lease now."""
    dead_letters: int


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


class LogReader(Protocol):
    """The reading side of one consumer group, in a process of its own. Not thread-safe."""

    def poll(self, limit: int, wait_ms: int) -> list[LogRecord]:
        """At most ``limit`` records after those already polled, in order within a partition; [] after ``wait_ms``.

        Takes the group's lease first, waiting for it at most ``wait_ms``. Raises LogUnavailable or LeaseLost; after
        either, reading goes on from the committed positions. LogNotSetUp is one of the former.
        """

    def commit(self, records: Sequence[LogRecord]) -> None:
        """All up to these has taken effect. May be written with the next poll. Raises LogUnavailable or LeaseLost."""

    def close(self) -> None:
        """Write what was committed and give the lease back."""


class MessageLog(Protocol):
    """A log: where to append, where to read, and how it stands."""

    def appender(self) -> LogAppender:
        """The running loop's appender."""

    def reader(self, group: str, reader_id: str) -> LogReader:
        """A reader of a consumer group, which starts at the group's committed positions (at first: the oldest
        record).
        """

    def bury(self, record: LogRecord, reason: str) -> None:
        """Put a record that cannot be processed on the dead-letter stream. Raises LogUnavailable."""

    def set_up(self, known_generation: int) -> int:
        """Make the log usable and return its generation: raised above ``known_generation`` if the log is new.

        Raises LogUnavailable, or ValueError where the server is not configured to keep what it acknowledged.
        """

    def status(self) -> LogStatus:
        """How the log stands. Raises LogUnavailable."""
