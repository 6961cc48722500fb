"""The log on simulated brokers: what stands in the place of the Kafka adapter."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeVar

from django.conf import settings

from apps.messagelog.base import (
    GENERATION_SHIFT,
    DeadLetter,
    Entry,
    GroupIsRead,
    KnownLog,
    LogNotSetUp,
    LogRecord,
    LogStatus,
    LogUnavailable,
    PartitionStatus,
    partition_of,
    sequence_of,
)
from tests.simulation.brokers import PARTITIONS, REPLICATION_SECONDS, Group, Member, PartitionedLog
from tests.simulation.processes import current_process
from tests.simulation.virtual_time import wait_for

Answer = TypeVar("Answer")

IDENTITY = "the brokers of this world"
APPEND_SECONDS = 2.0
LATE_ANSWERS = 0.1
MOST_LATENESS = 1.5
ANSWER_SECONDS = 5.0
COMMIT_SECONDS = 0.1
PING_SECONDS = 0.5


class PartitionedAppender:
    """LogAppender: one request a partition; any that fails leaves the outcome of all unknown."""

    def __init__(self, log: PartitionedLog) -> None:
        self._log = log

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        """See LogAppender."""
        generation = self._log.generation
        by_partition: dict[int, list[int]] = {}
        for index, entry in enumerate(entries):
            by_partition.setdefault(partition_of(entry.key, PARTITIONS), []).append(index)
        sequences = [0] * len(entries)
        failures: list[LogUnavailable] = []
        requests = [
            self._send(one, [entries[i].payload.decode() for i in which]) for one, which in by_partition.items()
        ]
        answers = await asyncio.gather(*requests, return_exceptions=True)
        for which, answer in zip(by_partition.values(), answers, strict=True):
            if isinstance(answer, LogUnavailable):
                failures.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                for index, position in zip(which, answer, strict=True):
                    sequences[index] = sequence_of(generation, position)
        if failures:
            raise failures[0]
        return sequences

    async def _send(self, partition: int, payloads: Sequence[str]) -> list[int]:
        def effect() -> list[int]:
            return self._log.append(partition, payloads)

        what = f"append {len(payloads)} to partition {partition}"
        positions = await self._log.calls.make(self._log, what, effect, patience=APPEND_SECONDS)
        # All brokers have it when the answer comes; readers may have it long before.
        await asyncio.sleep(REPLICATION_SECONDS + self._lateness(partition, positions[-1]))
        if self._log.partitions[partition].replicated < positions[-1]:
            raise LogUnavailable("the brokers lost it")
        return positions

    def _lateness(self, partition: int, position: int) -> float:
        """Seconds by which the answer comes later, as where a broker has just died."""
        draw = random.Random(f"answer {self._log.calls.seed} {partition} {position}")
        return draw.uniform(0.0, MOST_LATENESS) if draw.random() < LATE_ANSWERS else 0.0

    async def wait_until_available(self) -> None:
        """See LogAppender."""
        while True:
            try:
                await self._log.calls.make(self._log, "ping", lambda: None, patience=APPEND_SECONDS, writes=False)
                return
            except LogUnavailable:
                await asyncio.sleep(PING_SECONDS)

    def close(self) -> None:
        """See LogAppender."""


class PartitionedReader:
    """LogReader: a member of its group, with a share of the partitions."""

    def __init__(self, log: PartitionedLog, group: str, reader_id: str) -> None:
        self._log = log
        self._group = log.groups.setdefault(group, Group())
        self._reader_id = reader_id
        self._process = current_process.get()
        self._session = 0
        self._member: Member | None = None
        self._positions: dict[int, int] = {}
        self._done: dict[int, int] = {}
        self._written_at = float("-inf")

    def poll(self, limit: int, wait_ms: int) -> list[LogRecord]:
        """See LogReader."""
        return wait_for(self._poll(limit, wait_ms / 1000))

    def commit(self, records: Sequence[LogRecord]) -> None:
        """See LogReader."""
        for record in records:
            if record.partition in self._positions and record.sequence >> GENERATION_SHIFT == self._log.generation:
                self._done[record.partition] = record.position

    def rest(self, seconds: float) -> None:
        """See LogReader."""
        wait_for(self._rest(seconds))

    def close(self) -> None:
        """See LogReader."""
        wait_for(self._close())

    async def _poll(self, limit: int, seconds: float) -> list[LogRecord]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            written = self._log.written
            records = await self._ask("fetch", lambda: self._fetch(limit))
            left = deadline - loop.time()
            if records or left <= 0:
                return records
            try:
                async with asyncio.timeout(min(left, COMMIT_SECONDS if self._done else left)):
                    await written.wait()
            except TimeoutError:
                continue

    async def _rest(self, seconds: float) -> None:
        await self._ask("heartbeat", self._settle)
        await asyncio.sleep(seconds)

    async def _close(self) -> None:
        member = self._member
        if member is None:
            return
        try:
            await self._ask("commit", self._settle)
        finally:
            self._forget()
            self._log.expel(self._group, member)

    async def _ask(self, what: str, effect: Callable[[], Answer]) -> Answer:
        session = self._session

        def effect_in_time() -> Answer:
            # Brokers that were frozen may come to it when its reader has long begun anew.
            if session != self._session:
                raise LogUnavailable("this was asked in another life")
            return effect()

        try:
            return await self._log.calls.make(self._log, what, effect_in_time, patience=ANSWER_SECONDS, writes=False)
        except LogUnavailable:
            self._leave()
            raise

    def _fetch(self, limit: int) -> list[LogRecord]:
        self._settle()
        records = self._log.read(self._positions, limit)
        for record in records:
            self._positions[record.partition] = record.position
        return records

    def _settle(self) -> None:
        """Write what was done, let go of what goes elsewhere, take what is free. Raises LogUnavailable."""
        if not self._log.generation:
            raise LogNotSetUp("the log is not set up")
        member = self._member
        if member is None:
            member = self._member = Member(self._reader_id, self._process, asyncio.get_running_loop().time())
            self._log.join(self._group, member)
        if member.is_expelled:
            raise LogUnavailable("this reader was silent for too long: its partitions went to others")
        for partition, position in self._done.items():
            self._group.committed[partition] = max(position, self._group.committed.get(partition, 0))
        self._done.clear()
        self._log.settle(self._group, member)
        self._positions = {one: self._positions.get(one, self._group.committed.get(one, 0)) for one in member.owned}

    def _leave(self) -> None:
        member = self._member
        self._forget()
        if member is not None and not member.is_expelled:
            self._log.expel(self._group, member)

    def _forget(self) -> None:
        self._session += 1
        self._member, self._positions, self._done = None, {}, {}


class PartitionedMessageLog:
    """MessageLog on the brokers of the present world."""

    brokers: ClassVar[PartitionedLog | None] = None

    def __init__(self) -> None:
        assert self.brokers is not None
        self._log = self.brokers
        self._partitions: int = settings.LOG_PARTITIONS

    def appender(self) -> PartitionedAppender:
        """See MessageLog."""
        return PartitionedAppender(self._log)

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """See MessageLog."""

        def effect() -> list[int]:
            positions = [self._log.append(partition_of(one.key, PARTITIONS), [one.payload.decode()]) for one in entries]
            return [sequence_of(self._log.generation, position) for (position,) in positions]

        return self._do("append", effect)

    def reader(self, group: str, reader_id: str) -> PartitionedReader:
        """See MessageLog."""
        return PartitionedReader(self._log, group, reader_id)

    def bury(self, record: LogRecord, reason: str) -> None:
        """See MessageLog."""
        letter = DeadLetter(partition=record.partition, sequence=record.sequence, reason=reason, payload=record.payload)
        self._do("bury", lambda: self._log.dead.append(letter))

    def list_dead_letters(self, limit: int) -> list[DeadLetter]:
        """See MessageLog."""
        return self._do("dead letters", lambda: self._log.dead[: -limit - 1 : -1])

    def set_up(self, known: KnownLog) -> KnownLog:
        """See MessageLog."""
        if self._partitions != PARTITIONS:
            raise ValueError(
                f"the log was made with {PARTITIONS} partitions and LOG_PARTITIONS says {self._partitions}"
            )

        def effect() -> KnownLog:
            another = known.identity not in ("", IDENTITY)
            if not self._log.generation or self._log.generation < known.generation or another:
                self._log.generation = known.generation + 1
            return KnownLog(generation=self._log.generation, identity=IDENTITY)

        return self._do("set up", effect)

    def status(self) -> LogStatus:
        """See MessageLog."""
        return self._do("status", self._look)

    def _look(self) -> LogStatus:
        return LogStatus(
            generation=self._log.generation,
            partitions=tuple(
                PartitionStatus(
                    partition=number,
                    first=1 if partition.records else 0,
                    last=len(partition.records),
                    committed={name: group.committed.get(number, 0) for name, group in self._log.groups.items()},
                )
                for number, partition in enumerate(self._log.partitions)
            ),
            readers={
                name: {one.reader_id: tuple(sorted(one.owned)) for one in group.members.values()}
                for name, group in self._log.groups.items()
                if group.members
            },
            dead_letters=len(self._log.dead),
        )

    def find_positions(self, at_ms: int) -> dict[int, int]:
        """See MessageLog."""
        return dict.fromkeys(range(PARTITIONS), 1)

    def rewind(self, group: str, positions: Mapping[int, int]) -> None:
        """See MessageLog."""
        known = self._log.groups.setdefault(group, Group())
        if known.members:
            raise GroupIsRead(f"the group {group} is read by {', '.join(known.members)}")
        known.committed.update({partition: position - 1 for partition, position in positions.items()})

    def _do(self, what: str, effect: Callable[[], Answer]) -> Answer:
        return wait_for(self._log.calls.make(self._log, what, effect, patience=ANSWER_SECONDS))
