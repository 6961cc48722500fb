"""The model of a log in partitions does what every log must do, and what only Kafka does."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.messagelog.base import Entry, KnownLog, LogUnavailable, partition_of
from tests.contracts import test_message_log
from tests.contracts.log_calls import Readers, append, payloads, poll_some
from tests.simulation.brokers import PARTITIONS, SESSION_SECONDS, PartitionedLog
from tests.simulation.calls import Calls
from tests.simulation.partitioned_log import PartitionedMessageLog
from tests.simulation.plan import LOG, Plan
from tests.simulation.processes import Process
from tests.simulation.trace import Trace
from tests.simulation.virtual_time import Clock, VirtualLoop, run_blocking, virtual_time, wait_for

CONTRACT = {
    name: test
    for name, test in vars(test_message_log).items()
    if name.startswith("test_") and set(inspect.signature(test).parameters) <= {"log", "readers"}
}
PLAN = Plan(seed=1, people=(), operations=(), faults=())


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualLoop]:
    """Give a loop under virtual time. What begins a loop of its own there waits for this one."""
    clock = Clock()
    made = VirtualLoop(clock)
    with virtual_time(clock):
        monkeypatch.setattr(asyncio, "run", wait_for)
        yield made
        made.close()


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> PartitionedLog:
    """Return brokers on which nothing was set up."""
    made = PartitionedLog(LOG, Calls(PLAN, Trace()), lambda _: None)
    monkeypatch.setattr(PartitionedMessageLog, "brokers", made)
    return made


def run(loop: VirtualLoop, brokers: PartitionedLog, body: Callable[[PartitionedMessageLog, Readers], object]) -> None:
    """Run blocking code with a log that is set up."""

    def work() -> None:
        log = PartitionedMessageLog()
        log.set_up(KnownLog(generation=0, identity=""))
        readers = Readers(log)
        body(log, readers)
        readers.close()

    async def watched() -> None:
        watching = asyncio.create_task(brokers.watch_members())
        try:
            await run_blocking(work)
        finally:
            watching.cancel()

    loop.run_until_complete(watched())


@pytest.mark.parametrize("name", CONTRACT)
def test_it_keeps_the_contract_of_every_log(name: str, loop: VirtualLoop, brokers: PartitionedLog) -> None:
    test: Callable[..., Any] = CONTRACT[name]

    def body(log: PartitionedMessageLog, readers: Readers) -> None:
        known = {"log": log, "readers": readers}
        test(**{parameter: known[parameter] for parameter in inspect.signature(test).parameters})

    run(loop, brokers, body)


def test_two_readers_share_the_partitions(loop: VirtualLoop, brokers: PartitionedLog) -> None:
    def body(log: PartitionedMessageLog, readers: Readers) -> None:
        first, second = readers(reader_id="r1"), readers(reader_id="r2")
        for reader in (first, second, first, second):
            reader.poll(10, 10)
        shares = log.status().readers["relay"]
        assert sorted(shares["r1"] + shares["r2"]) == list(range(PARTITIONS))
        assert {len(share) for share in shares.values()} == {PARTITIONS // 2}

    run(loop, brokers, body)


def test_a_paused_reader_loses_its_partitions_and_commits_nothing_any_more(
    loop: VirtualLoop, brokers: PartitionedLog
) -> None:
    def body(log: PartitionedMessageLog, readers: Readers) -> None:
        append(log, ("same", "1"))
        paused = Process("paused")
        zombie = readers(reader_id="zombie")
        records = poll_some(zombie, 1)
        brokers.groups["relay"].members["zombie"].process = paused
        paused.pause()
        wait_for(asyncio.sleep(3 * SESSION_SECONDS))
        assert payloads(poll_some(readers(reader_id="other"), 1)) == ["1"]
        zombie.commit(records)
        with pytest.raises(LogUnavailable):
            zombie.poll(10, 10)
        assert log.status().partitions[partition_of("same", PARTITIONS)].committed["relay"] == 0

    run(loop, brokers, body)


def test_what_was_not_acknowledged_may_be_lost(loop: VirtualLoop, brokers: PartitionedLog) -> None:
    def body(log: PartitionedMessageLog, readers: Readers) -> None:
        append(log, ("same", "1"))

        async def lose_power() -> None:
            appending = asyncio.create_task(log.appender().append([Entry(key="same", payload=b"2")]))
            while len(brokers.partitions[partition_of("same", PARTITIONS)].records) < 2:
                await asyncio.sleep(0.0001)
            brokers.lose_unsynced()
            with pytest.raises(LogUnavailable):
                await appending

        wait_for(lose_power())
        append(log, ("same", "3"))
        assert payloads(poll_some(readers(), 2)) == ["1", "3"]

    run(loop, brokers, body)
