"""Breaks what the plan says when it says so, and makes it whole again."""

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.brokers import PartitionedLog
from tests.simulation.plan import BUS, CACHE, PROCESSES, SOCKETS, Fault, FaultKind, Plan
from tests.simulation.valkey import SimulatedValkey

if TYPE_CHECKING:
    from tests.simulation.world import World

NEMESIS = "nemesis"
SLOW_SECONDS = 0.25
COPY_SECONDS = 1.0
"""How long before a loss of power the last sync of a server that syncs every second was."""


class Nemesis:
    """All faults of a plan."""

    def __init__(self, world: "World", plan: Plan) -> None:
        self._world = world
        self._plan = plan

    async def run(self) -> None:
        """Do everything; returns when the last fault is over."""
        async with asyncio.TaskGroup() as group:
            for fault in self._plan.faults:
                group.create_task(self._strike(fault))

    async def _strike(self, fault: Fault) -> None:
        seconds = fault.at_ms / 1000
        if fault.kind is FaultKind.POWER_LOSS and fault.target in self._world.valkeys:
            await asyncio.sleep(max(0.0, seconds - COPY_SECONDS))
            self._world.valkeys[fault.target].take_copy()
            await asyncio.sleep(min(seconds, COPY_SECONDS))
        else:
            await asyncio.sleep(seconds)
        self._world.counts[f"fault {fault.kind} {fault.target}"] += 1
        self._world.trace.note(NEMESIS, f"{fault.target}: {fault.kind} for {fault.duration_ms} ms")
        if fault.target in PROCESSES:
            await self._strike_process(fault)
        elif fault.target in SOCKETS:
            await self._strike_network(fault)
        elif fault.target == BUS:
            await self._strike_bus(fault)
        else:
            await self._strike_server(fault)
        self._world.trace.note(NEMESIS, f"{fault.target}: {fault.kind} is over")

    async def _strike_process(self, fault: Fault) -> None:
        host = self._world.hosts[fault.target]
        match fault.kind:
            case FaultKind.KILL:
                host.kill()
                await self._last(fault)
                host.start()
            case FaultKind.STOP:
                await host.stop()
                await self._last(fault)
                host.start()
            case FaultKind.PAUSE:
                host.pause()
                await self._last(fault)
                host.resume()
            case FaultKind.CLOCK_STEP:
                host.step_clock(fault.step_ms / 1000)
                await self._last(fault)
                host.step_clock(-fault.step_ms / 1000)
            case other:
                raise ValueError(f"{other} cannot befall {fault.target}")

    async def _strike_network(self, fault: Fault) -> None:
        network = self._world.listeners[SOCKETS.index(fault.target)].network
        if fault.kind is FaultKind.CUT_OFF:
            network.is_cut = True
            network.cut()
            await self._last(fault)
            network.is_cut = False
        else:
            network.is_silent = True
            await self._last(fault)
            network.speak()

    async def _strike_bus(self, fault: Fault) -> None:
        bus = self._world.bus
        name = "drops" if fault.kind is FaultKind.DROP else "delays"
        setattr(bus, name, True)
        await self._last(fault)
        setattr(bus, name, False)

    async def _strike_server(self, fault: Fault) -> None:
        server = self._world.servers[fault.target]
        match fault.kind:
            case FaultKind.PAUSE:
                server.pause()
                await self._last(fault)
                server.resume()
            case FaultKind.SLOW:
                server.latency = SLOW_SECONDS
                await self._last(fault)
                server.latency = 0.0
            case FaultKind.DISK_FULL:
                server.is_full = True
                await self._last(fault)
                server.is_full = False
            case FaultKind.FLUSH:
                self._world.valkeys[fault.target].flush()
                self._world.broker.forget_all()
                await self._last(fault)
            case _:
                await self._take_down(fault)

    async def _take_down(self, fault: Fault) -> None:
        server = self._world.servers[fault.target]
        server.is_down = True
        server.end()
        if fault.target == CACHE:
            self._world.bus.cut()
        if isinstance(server, SimulatedValkey):
            if fault.kind is FaultKind.KILL:
                server.restart()
            elif fault.kind is FaultKind.POWER_LOSS:
                server.cut_back()
        elif isinstance(server, PartitionedLog) and fault.kind is FaultKind.POWER_LOSS:
            server.lose_unsynced()
        await self._last(fault)
        server.is_down = False
        if fault.target == CACHE:
            self._world.bus.listen_again()

    @staticmethod
    async def _last(fault: Fault) -> None:
        await asyncio.sleep(fault.duration_ms / 1000)
