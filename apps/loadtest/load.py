"""Runs one load against a site."""

import asyncio
import contextlib
import gc
import itertools
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import uvloop

from apps.loadtest.connection import Address
from apps.loadtest.crowd import Crowd
from apps.loadtest.figures import Load, LoadFigures, collect_figures
from apps.loadtest.pair import Account, Clock, Latencies, Pair
from apps.loadtest.writer import Writer

T = TypeVar("T")
CONNECTING_AT_ONCE = 32
DRAIN_LOOKS, DRAIN_LOOK_SECONDS = 200, 0.05
DRAIN_LOOKS_OF_RETURN = 2_400
HEARTBEAT_SECONDS = 30.0
LOOK_SECONDS = 1.0
FIRST_ARRIVAL_SECONDS = 60.0


class Observer:
    """Is told how a load goes; one that measures more or shows it overrides what it needs."""

    def begin_span(self) -> None:
        """The warm-up is over: what is sent from now on counts."""

    def look(self, pairs: Sequence[Pair], crowds: Sequence[Crowd], latencies: Latencies) -> None:
        """About a second has passed."""

    def end_span(self) -> None:
        """The measured time is over; what is on its way still arrives."""


def run_on_uvloop(work: Coroutine[Any, Any, T]) -> T:
    """Run it; an exception in a protocol's callback ends it instead of being printed."""

    async def guarded() -> T:
        task = asyncio.ensure_future(work)

        def fail(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            failures.append(context.get("exception") or RuntimeError(context["message"]))
            task.cancel()

        failures: list[BaseException] = []
        asyncio.get_running_loop().set_exception_handler(fail)
        try:
            return await task
        except asyncio.CancelledError:
            raise failures[0] if failures else KeyboardInterrupt from None

    return uvloop.run(guarded())


async def run_load(
    address: Address,
    accounts: Sequence[Account],
    load: Load,
    observer: Observer | None = None,
    group_ids: Sequence[str] = (),
) -> LoadFigures:
    """Send as `load` says between accounts, two a pair, and from there on those of each group, and measure.

    Raises OSError when there is no server or it refuses or ends a connection, ValueError when accounts are missing.
    """
    if len(accounts) < load.accounts:
        raise ValueError(f"{load.pairs} pairs need {load.accounts} accounts, here are {len(accounts)}")
    clock, latencies = Clock(starts_at=0.0, ends_at=0.0), Latencies()
    pairs = [
        Pair(
            accounts[2 * number],
            accounts[2 * number + 1],
            clock=clock,
            latencies=latencies,
            size=load.size,
            away=number < load.away,
        )
        for number in range(load.pairs)
    ]
    crowds = [
        Crowd(group_id, split_members(accounts, load, number), size=load.size, clock=clock)
        for number, group_id in enumerate(group_ids)
    ]
    writers: list[Writer] = [*pairs, *crowds]
    try:
        for batch in split(pairs, CONNECTING_AT_ONCE):
            await asyncio.gather(*(pair.open(address) for pair in batch))
        for crowd in crowds:
            await crowd.open(address)
        # The inboxes of new devices are made one by one, and the workers that do it fan out too.
        for crowd in crowds:
            crowd.send()
        await asyncio.gather(*(crowd.wait_until_arrived(FIRST_ARRIVAL_SECONDS) for crowd in crowds))
        with _quiet_collector():
            await _drive(pairs, crowds, clock, latencies, load, observer or Observer())
            await wait_for_the_rest([*(pair for pair in pairs if not pair.away), *crowds])
        drain_seconds = await _bring_back([pair for pair in pairs if pair.away], address)
    finally:
        for writer in writers:
            writer.close()
    return collect_figures(load, pairs, latencies, drain_seconds, crowds)


def split_members(accounts: Sequence[T], load: Load, number: int) -> Sequence[T]:
    """Those of the accounts who are the members of the group of this number; the first one owns it and writes."""
    start = 2 * load.pairs + number * load.group_size
    return accounts[start : start + load.group_size]


async def wait_for_the_rest(writers: Sequence[Writer], looks: int = DRAIN_LOOKS) -> None:
    """Wait until every message has ✓✓, or has arrived at all members, or was refused, at most 10 s."""
    for _ in range(looks):
        if all(writer.is_settled for writer in writers):
            return
        await asyncio.sleep(DRAIN_LOOK_SECONDS)


def split(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in batches."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def _drive(
    pairs: list[Pair], crowds: list[Crowd], clock: Clock, latencies: Latencies, load: Load, observer: Observer
) -> None:
    """Warm up, then measure."""
    begin = time.perf_counter()
    clock.starts_at = begin + load.warmup_seconds
    clock.ends_at = clock.starts_at + load.seconds
    async with asyncio.TaskGroup() as group:
        group.create_task(_send(pairs, crowds, clock, load))
        others = [
            group.create_task(_beat([*pairs, *crowds])),
            group.create_task(_look(pairs, crowds, latencies, observer)),
        ]
        await asyncio.sleep(clock.starts_at - time.perf_counter())
        observer.begin_span()
        await asyncio.sleep(clock.ends_at - time.perf_counter())
        observer.end_span()
        for other in others:
            other.cancel()


async def _beat(writers: Sequence[Writer]) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        for writer in writers:
            writer.beat()


async def _look(pairs: Sequence[Pair], crowds: Sequence[Crowd], latencies: Latencies, observer: Observer) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        observer.look(pairs, crowds, latencies)


async def _send(pairs: Sequence[Pair], crowds: Sequence[Crowd], clock: Clock, load: Load) -> None:
    if load.rate <= 0:
        for pair in pairs:
            pair.start_window(load.window)
        for crowd in crowds:
            crowd.start_window(1)
        return
    writers: list[Writer] = [*pairs, *crowds]
    begin = time.perf_counter()
    for number, writer in enumerate(itertools.cycle(writers)):
        due = begin + number / load.rate
        if due >= clock.ends_at:
            return
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        writer.send()


async def _bring_back(away: Sequence[Pair], address: Address) -> float | None:
    """Connect those who were away and wait for what waited for them; seconds, or None where nobody was."""
    if not away:
        return None
    began_at = time.perf_counter()
    for batch in split(away, CONNECTING_AT_ONCE):
        await asyncio.gather(*(pair.bring_back(address) for pair in batch))
    await wait_for_the_rest(away, DRAIN_LOOKS_OF_RETURN)
    return time.perf_counter() - began_at


@contextlib.contextmanager
def _quiet_collector() -> Iterator[None]:
    """No garbage collection while measuring: its pauses would count as the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
