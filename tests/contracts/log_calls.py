"""How the tests of logs call them: append in a loop of its own, poll until what is expected has come."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from apps.messagelog.base import Entry, LogReader, LogRecord, MessageLog

PATIENCE_SECONDS = 60.0
ON_KAFKA = (
    pytest.mark.production,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
)
"""Marks of a test on Kafka. kafka-python leaves sockets to the garbage collector."""


def append(log: MessageLog, *entries: tuple[str, str]) -> list[int]:
    """Append (key, payload) pairs; returns their sequences."""

    async def run() -> list[int]:
        appender = log.appender()
        try:
            return await appender.append([Entry(key=key, payload=payload.encode()) for key, payload in entries])
        finally:
            appender.close()

    return asyncio.run(run())


def poll_some(reader: LogReader, count: int, limit: int = 1_000) -> list[LogRecord]:
    """Poll until at least ``count`` records have come; nothing is committed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found: list[LogRecord] = []
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
        found += reader.poll(limit, 100)
    return found


class Readers:
    """Opens readers of a log, and closes them when the test is over."""

    def __init__(self, log: MessageLog) -> None:
        self._log = log
        self._open: list[LogReader] = []

    def __call__(self, group: str = "relay", reader_id: str = "r1", log: MessageLog | None = None) -> LogReader:
        """Open one; of another instance of the same log if that is given."""
        reader = (log or self._log).reader(group, reader_id)
        self._open.append(reader)
        return reader

    def close(self) -> None:
        """Close all; those closed already do not mind."""
        for reader in self._open:
            reader.close()


def opened_readers(log: MessageLog) -> Iterator[Readers]:
    """Make the body of a fixture."""
    readers = Readers(log)
    yield readers
    readers.close()


def read_and_commit(readers: Readers, count: int, group: str = "relay", reader_id: str = "r1") -> list[LogRecord]:
    """Read so many records, commit them and leave."""
    reader = readers(group, reader_id)
    records = poll_some(reader, count)
    reader.commit(records)
    reader.close()
    return records


def payloads(records: list[LogRecord]) -> list[str]:
    """Return what the records say."""
    return [record.payload for record in records]
