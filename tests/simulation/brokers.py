"""The log as Kafka keeps it: partitions shared by the readers of a group, appends that come off in part, zombies.

What is on other brokers as well survives a loss of power, and only that is acknowledged and read. A reader
that is silent for too long loses its partitions to the others, and learns of it when it asks again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from apps.messagelog.base import (
    DeadLetter,
    LogRecord,
    LogUnavailable,
    sequence_of,
)
from tests.simulation.calls import Calls, Errors, Server
from tests.simulation.processes import WORLD, Process

PARTITIONS = 12
SESSION_SECONDS = 6.0
LOOK_SECONDS = 1.0
REPLICATION_SECONDS = 0.002
ERRORS = Errors(refused=LogUnavailable, timed_out=LogUnavailable, lost=LogUnavailable, full=LogUnavailable)


@dataclass(slots=True)
class Partition:
    """Its records, the first at position 1, and how many of them are on the other brokers as well."""

    records: list[str] = field(default_factory=list)
    replicated: int = 0


@dataclass(slots=True, eq=False)
class Member:
    """One reader of a group, as the brokers know it."""

    reader_id: str
    process: Process | None
    seen_at: float
    owned: dict[int, None] = field(default_factory=dict)
    is_expelled: bool = False


@dataclass(slots=True)
class Group:
    """Who reads, how far all have come, and to whom each partition is to go."""

    members: dict[str, Member] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    wanted: dict[int, str] = field(default_factory=dict)


class PartitionedLog(Server):
    """The brokers."""

    def __init__(self, name: str, calls: Calls, count: Callable[[str], object]) -> None:
        super().__init__(name, ERRORS)
        self.calls = calls
        self.generation = 0
        self.partitions = [Partition() for _ in range(PARTITIONS)]
        self.groups: dict[str, Group] = {}
        self.dead: list[DeadLetter] = []
        self.written = asyncio.Event()
        self._count = count

    # -- what befalls it ------------------------------------------------------------------------------------------

    def lose_unsynced(self) -> None:
        """A loss of power: what is not on other brokers is gone; nobody was told that it is there."""
        for partition in self.partitions:
            del partition.records[partition.replicated :]

    async def watch_members(self) -> None:
        """Expel readers that are silent, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for group in self.groups.values():
                for member in list(group.members.values()):
                    process = member.process
                    if self.is_down or self.is_paused or not (process and (process.is_dead or process.is_paused)):
                        member.seen_at = loop.time()
                    elif loop.time() - member.seen_at > SESSION_SECONDS:
                        self._count("lease taken over")
                        self.expel(group, member)

    # -- members --------------------------------------------------------------------------------------------------

    def join(self, group: Group, member: Member) -> None:
        """One more reads; partitions move to it as the others let go of them."""
        group.members[member.reader_id] = member
        self._share(group)

    def expel(self, group: Group, member: Member) -> None:
        """It reads no more; what it had goes to the others at once."""
        if group.members.get(member.reader_id) is member:
            del group.members[member.reader_id]
        member.is_expelled = True
        member.owned.clear()
        self._share(group)

    def settle(self, group: Group, member: Member) -> None:
        """A reader asks: it lets go of what is to go elsewhere, and takes what is free."""
        for partition in [one for one in member.owned if group.wanted.get(one) != member.reader_id]:
            del member.owned[partition]
        held = {partition for other in group.members.values() for partition in other.owned}
        for partition in range(PARTITIONS):
            if partition not in held and group.wanted.get(partition) == member.reader_id:
                member.owned[partition] = None

    @staticmethod
    def _share(group: Group) -> None:
        readers = list(group.members)
        group.wanted = {partition: readers[partition % len(readers)] for partition in range(PARTITIONS) if readers}

    # -- records --------------------------------------------------------------------------------------------------

    def append(self, partition: int, payloads: Sequence[str]) -> list[int]:
        """Add records to one partition; returns their positions."""
        if not self.generation:
            raise LogUnavailable("the log is not set up")
        records = self.partitions[partition].records
        records += payloads
        loop = asyncio.get_running_loop()
        loop.call_later(REPLICATION_SECONDS, self._replicate, partition, len(records), context=WORLD)
        return list(range(len(records) - len(payloads) + 1, len(records) + 1))

    def _replicate(self, partition: int, upto: int) -> None:
        stored = self.partitions[partition]
        stored.replicated = max(stored.replicated, min(upto, len(stored.records)))
        written, self.written = self.written, asyncio.Event()
        written.set()

    def read(self, positions: Mapping[int, int], limit: int) -> list[LogRecord]:
        """Records after these positions, in order within a partition."""
        found: list[LogRecord] = []
        for partition, position in positions.items():
            stored = self.partitions[partition]
            upto = min(stored.replicated, position + max(1, limit // PARTITIONS))
            found += [
                LogRecord(
                    partition=partition,
                    position=one,
                    sequence=sequence_of(self.generation, one),
                    payload=stored.records[one - 1],
                )
                for one in range(position + 1, upto + 1)
            ]
        return found
