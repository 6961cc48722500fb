"""The course of a fault run: people live by their plan under one fault after another, then all comes to rest."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.client.history import History
from tests.faults.checker import Block, Finding
from tests.faults.crowd import Crowd, wait_while_moving
from tests.faults.lateness import Window
from tests.faults.recovery import Probe, make_window
from tests.faults.schedule import Fault, draw_rounds, group_by_kind
from tests.faults.workload import in_background

LEAST_IN_FLIGHT = 16
LONGEST_PAUSE_BEFORE_STRIKE = 0.008  # a burst is through the whole pipeline a little later
LONGEST_FAULT = 300.0
REST_PATIENCE = 120.0  # longer than any time-out of the site's: what has not moved for so long will not

Tell = Callable[[str], None]
RemainsT = TypeVar("RemainsT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What happened in a run that has come to rest."""

    histories: Sequence[History]
    blocks: Sequence[Block]
    windows: Sequence[Window]
    mishaps: Sequence[Finding]
    acts: Counter[str]
    not_struck: Sequence[str]
    says: Mapping[str, str]  # what each kind of fault that struck does


class Course:
    """One run; `tell` gets a line for each thing that people in front of a terminal want to know."""

    def __init__(self, crowd: Crowd, probe: Probe | None, tell: Tell) -> None:
        self._crowd = crowd
        self._probe = probe
        self._tell = tell
        self._windows: list[Window] = []

    async def run(self, faults: Sequence[Fault], seconds: float, rounds: int, rng: random.Random) -> None:
        """Let people live under faults in turns, or under none: for `seconds`, and `rounds` in which every kind comes.

        Raises whatever a fault raises.
        """
        jobs = (asyncio.create_task(self._crowd.live()), asyncio.create_task(self._crowd.watch()))
        async with in_background(*jobs):
            end_at = time.monotonic() + seconds
            if faults:
                await self._strike_until(end_at, rounds, faults, rng)
            await asyncio.sleep(max(0.0, end_at - time.monotonic()))

    async def come_to_rest(self, wait_settled: Callable[[], Awaitable[RemainsT]]) -> RemainsT:
        """Bring everybody online and wait for every ✓✓, then for the servers: `wait_settled`, whose answer it gives."""
        probes = [] if self._probe is None else self._probe.clients
        async with in_background(asyncio.create_task(self._crowd.watch())):
            for client in probes:
                client.go_online()
            await self._crowd.come_home(REST_PATIENCE)
            await wait_while_moving(lambda: sum(len(c.history.in_flight) for c in probes), REST_PATIENCE)
            remains = await wait_settled()
        await self._crowd.go_offline()
        for client in probes:
            await client.stop()
        return remains

    @property
    def histories(self) -> list[History]:
        """What every device saw, those of the probe too."""
        return self._crowd.histories + ([] if self._probe is None else self._probe.histories)

    def events(self, faults: Sequence[Fault]) -> Events:
        """What happened; `faults` are those that might have struck."""
        mishaps = [Finding(kind=kind, detail=detail) for kind, detail in self._crowd.mishaps]
        mishaps += [
            Finding(
                kind="did not recover", detail=f"no ✓✓ for {w.left_at - w.ended_at:.0f} s after {w.kind} of {w.target}"
            )
            for w in self._windows
            if w.recovered_at is None
        ]
        struck = {window.kind for window in self._windows}
        return Events(
            histories=self.histories,
            blocks=[block for person in self._crowd.people for block in person.blocks],
            windows=self._windows,
            mishaps=mishaps,
            acts=self._crowd.done,
            not_struck=sorted({fault.kind for fault in faults} - struck),
            says={fault.kind: fault.says for fault in faults if fault.kind in struck},
        )

    async def _strike_until(self, end_at: float, rounds: int, faults: Sequence[Fault], rng: random.Random) -> None:
        least = rounds * len(group_by_kind(faults))
        for number, fault in enumerate(draw_rounds(faults, rng)):
            if number >= least and time.monotonic() >= end_at:
                return
            await self._strike(fault, rng)

    async def _strike(self, fault: Fault, rng: random.Random) -> None:
        """Inflict a fault with messages in flight, and wait until a new message goes all the way again."""
        await self._load(rng)
        began_at = time.monotonic()
        async with asyncio.timeout(LONGEST_FAULT):
            await fault.inflict(rng)
        ended_at = time.monotonic()
        recovered_at = await self._find_recovery()
        window = make_window(fault.kind, fault.target, began_at, ended_at, recovered_at)
        self._windows.append(window)
        came = "DID NOT RECOVER" if recovered_at is None else f"✓✓ {recovered_at - ended_at:.1f} s after"
        self._tell(f"{fault.kind} of {fault.target}: {ended_at - began_at:.1f} s, {came}")

    async def _find_recovery(self) -> float | None:
        assert self._probe is not None
        return await self._probe.find_recovery()

    async def _load(self, rng: random.Random) -> None:
        """Bring enough messages in flight, at no particular step of their way."""
        while self._crowd.count_in_flight() < LEAST_IN_FLIGHT:
            self._crowd.burst(LEAST_IN_FLIGHT)
            await asyncio.sleep(rng.uniform(0, LONGEST_PAUSE_BEFORE_STRIKE))
