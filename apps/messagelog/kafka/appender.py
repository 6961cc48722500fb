"""The writing side of the Kafka log: one append under way, in a thread of its own: the event loop never waits."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from apps.messagelog.base import Entry, LogUnavailable, partition_of, sequence_of
from apps.messagelog.kafka.producer import KafkaBatchProducer

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLog:
    """A producer for the log's topic, which is fixed for the producer's life."""

    producer: KafkaBatchProducer
    generation: int
    partitions: int


class KafkaWriter:
    """Appends from one thread at a time. ``open_log`` blocks and raises LogUnavailable, as all of this does.

    A producer is never used again after a failure: it may hold, or still send, what the caller appends again, and its
    numbering of what it sent is idempotent only as long as all of it succeeds.
    """

    def __init__(self, open_log: Callable[[], OpenLog]) -> None:
        self._open_log = open_log
        self._open: OpenLog | None = None

    def connect(self) -> OpenLog:
        """Make a producer, unless there is one."""
        if self._open is None:
            self._open = self._open_log()
        return self._open

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """See LogAppender."""
        log = self.connect()
        try:
            offsets = log.producer.append([(partition_of(one.key, log.partitions), one.payload) for one in entries])
        except LogUnavailable:
            self.disconnect()
            raise
        return [sequence_of(log.generation, offset + 1) for offset in offsets]

    def disconnect(self) -> None:
        """Let go of the producer."""
        log, self._open = self._open, None
        if log is not None:
            log.producer.close()


class KafkaAppender:
    """LogAppender on Kafka: a writer in a thread of its own."""

    def __init__(self, open_log: Callable[[], OpenLog]) -> None:
        self._writer = KafkaWriter(open_log)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka appender")
        self._thread.submit(self._warm_up)

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        """See LogAppender."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.append, entries)

    async def wait_until_available(self) -> None:
        """See LogAppender."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE_SECONDS
        while True:
            try:
                await loop.run_in_executor(self._thread, self._writer.connect)
                return
            except LogUnavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        """See LogAppender."""
        self._thread.submit(self._writer.disconnect)
        self._thread.shutdown(wait=False)

    def _warm_up(self) -> None:
        """Connect ahead, so that the first message does not wait for it."""
        try:
            self._writer.connect()
        except LogUnavailable as error:
            logger.warning("the log does not answer yet: %s", error)
