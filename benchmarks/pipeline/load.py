"""One load against a server whose processes are at hand: the load test's figures, and what the server used for them."""

import asyncio
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

from apps.loadtest.connection import Address, LoadConnection
from apps.loadtest.figures import Load, LoadFigures
from apps.loadtest.load import CONNECTING_AT_ONCE, Observer, run_load, split
from apps.loadtest.pair import Account
from benchmarks.pipeline.processes import read_cpu_seconds, read_gateway_memory, subtract
from tests.client.processes import Processes

IDLE_SETTLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server under load."""

    address: Address
    processes: Processes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What one load measured, and the CPU time of the server by role and of this process."""

    figures: LoadFigures
    cpu_seconds_per_1000: dict[str, float]
    client_cpu_seconds_per_1000: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleResult:
    """Gateway memory that idle connections took."""

    connections: int
    connections_per_second: float
    kib_per_connection: float


class CpuMeter(Observer):
    """Reads CPU times at both ends of the measured span."""

    def __init__(self, processes: Processes) -> None:
        self.server: dict[str, float] = {}
        self.client = 0.0
        self._processes = processes

    def begin_span(self) -> None:
        """Remember where they stand."""
        self.server, self.client = read_cpu_seconds(self._processes), _own_cpu_seconds()

    def end_span(self) -> None:
        """Keep what was used since, in seconds."""
        self.client = _own_cpu_seconds() - self.client
        self.server = subtract(read_cpu_seconds(self._processes), self.server)


async def measure_load(target: Target, accounts: Sequence[Account], load: Load) -> LoadResult:
    """Run a load and read what it cost. Raises as `run_load`."""
    meter = CpuMeter(target.processes)
    figures = await run_load(target.address, accounts, load, meter)
    counted = max(1.0, figures.delivered_per_second * load.seconds)
    return LoadResult(
        figures=figures,
        cpu_seconds_per_1000={role: 1000 * seconds / counted for role, seconds in meter.server.items()},
        client_cpu_seconds_per_1000=1000 * meter.client / counted,
    )


async def measure_idle(target: Target, accounts: Sequence[Account]) -> IdleResult:
    """Open one connection per account, let them rest, and see what the gateways' memory grew by."""
    before = read_gateway_memory(target.processes)
    started = time.perf_counter()
    connections: list[LoadConnection] = []
    try:
        for batch in split(accounts, CONNECTING_AT_ONCE):
            opening = (LoadConnection.open(target.address, account.token, _ignore) for account in batch)
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


def _own_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _ignore(connection: LoadConnection, texts: list[bytes]) -> None:
    """What an idle connection receives is nobody's business."""
