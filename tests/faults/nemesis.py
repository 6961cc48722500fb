"""Kills the server's processes one after another, each time with messages in flight, and waits until talk goes on."""

import asyncio
import random
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.client.processes import Processes, Role, send_signal
from tests.faults.workload import Workload

KILLED_ROLES = (Role.GATEWAY, Role.RELAY, Role.WORKER, Role.CACHE, Role.LOG)
BURST = 16  # messages in each direction
LONGEST_PAUSE_BEFORE_KILL = 0.008  # seconds; a burst is through the whole pipeline a little later
LONGEST_DRAIN_BEFORE_KILL = 0.2
RECOVERY_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill -9: whom, with how many messages in flight, and how long until a new message had ✓✓ again."""

    role: Role
    pids: tuple[int, ...]
    in_flight: int
    recovery_seconds: float


class Nemesis:
    """Strikes at the processes of one server while a workload runs."""

    def __init__(self, processes: Processes, workload: Workload, rng: random.Random, *, least_in_flight: int = 16):
        self.kills: list[Kill] = []
        self._processes = processes
        self._workload = workload
        self._rng = rng
        self._least_in_flight = least_in_flight

    async def rage(self, kills_of_each: int, roles: Sequence[Role] = KILLED_ROLES) -> None:
        """Kill each role `kills_of_each` times, in rounds of changing order."""
        for role in self._plan(kills_of_each, roles):
            await self.strike(role)

    async def strike(self, role: Role) -> Kill:
        """Kill one or all processes of `role` under load and wait until a message is delivered again.

        Raises TimeoutError when the process does not come back, AssertionError when no message gets through in 60 s.
        """
        running = await asyncio.to_thread(self._processes.pids, role)
        victims = running if self._rng.random() < 0.5 else [self._rng.choice(running)]
        in_flight = await self._load()
        if role is Role.WORKER:
            # The worker is busy when clients return: it dies somewhere in their drains.
            self._workload.cut_all()
            await asyncio.sleep(self._rng.uniform(0, LONGEST_DRAIN_BEFORE_KILL))
        send_signal(victims, signal.SIGKILL)
        killed_at = time.monotonic()
        probe_sender = self._rng.choice(self._workload.clients)
        probe = self._workload.send(probe_sender)
        await asyncio.to_thread(self._processes.wait_for_new, role, running)
        await probe_sender.wait_for(
            lambda: probe.delivered_at is not None, f"✓✓ after the {role} was killed", RECOVERY_TIMEOUT
        )
        kill = Kill(role=role, pids=tuple(victims), in_flight=in_flight, recovery_seconds=time.monotonic() - killed_at)
        self.kills.append(kill)
        return kill

    def _plan(self, kills_of_each: int, roles: Sequence[Role]) -> Iterator[Role]:
        for _ in range(kills_of_each):
            yield from self._rng.sample(roles, len(roles))

    async def _load(self) -> int:
        """Bring enough messages in flight, at no particular step of their way; gives their number."""
        while True:
            self._workload.burst(BURST)
            await asyncio.sleep(self._rng.uniform(0, LONGEST_PAUSE_BEFORE_KILL))
            in_flight = self._workload.count_in_flight()
            if in_flight >= self._least_in_flight:
                return in_flight


def summarize(kills: Sequence[Kill]) -> str:
    """A table of the kills: number, fewest messages in flight, time until talk went on."""
    lines = [f"{'killed':<10}{'times':>6}{'fewest in flight':>18}{'recovery p50 s':>16}{'longest s':>11}"]
    for role in sorted({kill.role for kill in kills}):
        of_role = [kill for kill in kills if kill.role is role]
        times = [kill.recovery_seconds for kill in of_role]
        fewest = min(kill.in_flight for kill in of_role)
        lines.append(f"{role:<10}{len(of_role):>6}{fewest:>18}{statistics.median(times):>16.2f}{max(times):>11.2f}")
    return "\n".join(lines)
