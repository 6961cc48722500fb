"""Runs one load against a server and gives what was measured."""

import asyncio
import gc
import itertools
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.pipeline.connection import LoadConnection
from benchmarks.pipeline.pair import Clock, Latencies, Pair
from benchmarks.pipeline.processes import read_cpu_seconds, read_gateway_memory, subtract
from tests.client.options import Account
from tests.client.processes import Processes

T = TypeVar("T")
CONNECTING_AT_ONCE = 32
DRAIN_LOOKS, DRAIN_LOOK_SECONDS = 200, 0.05
IDLE_SETTLE_SECONDS = 5.0
HEARTBEAT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server under load."""

    host: str
    port: int
    processes: Processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send: `rate` messages/s over all pairs, or (0) `window` in flight in each; `size` characters each."""

    pairs: int
    window: int
    rate: float
    seconds: float
    warmup_seconds: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Milliseconds."""

    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What one load measured; latencies count from before the frame was written."""

    load: Load
    messages_per_second: float
    sent: int
    delivered: int
    errors: int
    acknowledged: Quantiles
    arrived: Quantiles
    delivered_back: Quantiles
    cpu_seconds_per_1000: dict[str, float]
    client_cpu_seconds_per_1000: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleResult:
    """Gateway memory that idle connections took."""

    connections: int
    connections_per_second: float
    kib_per_connection: float


async def run_load(target: Target, accounts: Sequence[Account], load: Load) -> LoadResult:
    """Send as `load` says between fresh accounts, two a pair, and measure.

    Raises ConnectionError when the server ends a connection, ValueError when accounts are missing.
    """
    if len(accounts) < 2 * load.pairs:
        raise ValueError(f"{load.pairs} pairs need {2 * load.pairs} accounts, here are {len(accounts)}")
    clock, latencies = Clock(starts_at=0.0, ends_at=0.0), Latencies()
    pairs = [
        Pair(accounts[2 * i], accounts[2 * i + 1], clock=clock, latencies=latencies, size=load.size)
        for i in range(load.pairs)
    ]
    try:
        for batch in _batches(pairs):
            await asyncio.gather(*(pair.open(target.host, target.port) for pair in batch))
        with _quiet_collector():
            server_cpu, client_cpu = await _drive(target, pairs, clock, load)
    finally:
        for pair in pairs:
            pair.close()
    counted = max(1, sum(pair.delivered_in_span for pair in pairs))
    return LoadResult(
        load=load,
        messages_per_second=counted / load.seconds,
        sent=sum(pair.sent for pair in pairs),
        delivered=sum(pair.delivered for pair in pairs),
        errors=sum(len(pair.errors) for pair in pairs),
        acknowledged=compute_quantiles(latencies.acknowledged),
        arrived=compute_quantiles(latencies.arrived),
        delivered_back=compute_quantiles(latencies.delivered),
        cpu_seconds_per_1000={role: 1000 * seconds / counted for role, seconds in server_cpu.items()},
        client_cpu_seconds_per_1000=1000 * client_cpu / counted,
    )


async def _drive(target: Target, pairs: list[Pair], clock: Clock, load: Load) -> tuple[dict[str, float], float]:
    """Warm up, measure, drain; gives the CPU seconds of the server by role and of this process."""
    begin = time.perf_counter()
    clock.starts_at = begin + load.warmup_seconds
    clock.ends_at = clock.starts_at + load.seconds
    sender = asyncio.create_task(_send(pairs, clock, load))
    beats = asyncio.create_task(_beat(pairs))
    await asyncio.sleep(clock.starts_at - time.perf_counter())
    server_before, client_before = read_cpu_seconds(target.processes), _own_cpu_seconds()
    await asyncio.sleep(clock.ends_at - time.perf_counter())
    client_used = _own_cpu_seconds() - client_before
    server_used = subtract(read_cpu_seconds(target.processes), server_before)
    await sender
    await wait_for_the_rest(pairs)
    beats.cancel()
    return server_used, client_used


async def _beat(pairs: Sequence[Pair]) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        for pair in pairs:
            pair.beat()


async def wait_for_the_rest(pairs: Sequence[Pair]) -> None:
    """Wait until every message has ✓✓, at most 10 s."""
    for _ in range(DRAIN_LOOKS):
        if all(pair.delivered == pair.sent for pair in pairs):
            return
        await asyncio.sleep(DRAIN_LOOK_SECONDS)


async def _send(pairs: list[Pair], clock: Clock, load: Load) -> None:
    if load.rate <= 0:
        for pair in pairs:
            pair.start_window(load.window)
        return
    begin = time.perf_counter()
    for number, pair in enumerate(itertools.cycle(pairs)):
        due = begin + number / load.rate
        if due >= clock.ends_at:
            return
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        pair.send()


async def measure_idle(target: Target, accounts: Sequence[Account]) -> IdleResult:
    """Open one connection per account, let them rest, and see what the gateways' memory grew by."""
    before = read_gateway_memory(target.processes)
    started = time.perf_counter()
    connections: list[LoadConnection] = []
    try:
        for batch in _batches(accounts):
            opening = (LoadConnection.open(target.host, target.port, a.token, _ignore) for a in batch)
            connections += await asyncio.gather(*opening)
        took = time.perf_counter() - started
        await asyncio.sleep(IDLE_SETTLE_SECONDS)
        grown = read_gateway_memory(target.processes) - before
    finally:
        for connection in connections:
            connection.close()
    return IdleResult(
        connections=len(accounts),
        connections_per_second=len(accounts) / took,
        kib_per_connection=grown / len(accounts),
    )


def compute_quantiles(seconds: Sequence[float]) -> Quantiles:
    """Nearest-rank quantiles of a list of seconds, in milliseconds; NaN when there is none."""
    ordered = sorted(seconds)
    if not ordered:
        return Quantiles(p50=float("nan"), p95=float("nan"), p99=float("nan"), longest=float("nan"))

    def at(share: float) -> float:
        rank = max(0, -int(-share * len(ordered) // 1) - 1)
        return 1000 * ordered[rank]

    return Quantiles(p50=at(0.50), p95=at(0.95), p99=at(0.99), longest=1000 * ordered[-1])


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CONNECTING_AT_ONCE):
        yield items[start : start + CONNECTING_AT_ONCE]


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """No garbage collection while measuring: its pauses would count as the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _own_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _ignore(connection: LoadConnection, texts: list[bytes]) -> None:
    """What an idle connection receives is nobody's business."""
