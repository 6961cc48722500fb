"""Faults of processes: killed, paused, and two at once."""

import asyncio
import random
from collections.abc import Sequence

from tests.faults.nemesis.base import Fault, Lengths
from tests.faults.nemesis.parts import Part, kill, pause, resume


class Kill(Fault):
    """kill -9."""

    kind = "kill"
    says = "kill -9 of one process of the part or of all, at any instruction; whoever looks after it starts it again"

    def __init__(self, part: Part) -> None:
        super().__init__(part.name)
        self._part = part

    async def inflict(self, rng: random.Random) -> None:
        """Kill, and wait until as many run as before."""
        await asyncio.to_thread(kill_and_wait, [self._part], rng)


class KillPair(Fault):
    """kill -9 of two parts at the same time."""

    kind = "pair-kill"
    says = "kill -9 of all processes of two parts in the same moment"

    def __init__(self, *parts: Part) -> None:
        super().__init__("+".join(part.name for part in parts))
        self._parts = parts

    async def inflict(self, rng: random.Random) -> None:
        """Kill all of both, and wait until as many run as before."""
        await asyncio.to_thread(kill_and_wait, self._parts)


class Pause(Fault):
    """SIGSTOP, and later SIGCONT."""

    kind = "pause"
    says = "SIGSTOP of one process of the part or of all for a while, then SIGCONT: connections stay, nothing answers"

    def __init__(self, part: Part, lengths: Lengths) -> None:
        super().__init__(part.name)
        self._part = part
        self._lengths = lengths

    async def inflict(self, rng: random.Random) -> None:
        """Pause, hold, resume; where somebody killed it meanwhile for its silence, wait until it is back."""
        before = await asyncio.to_thread(self._part.pids)
        victims = self._part.draw_victims(rng)
        try:
            await asyncio.to_thread(pause, victims)
            await asyncio.sleep(self._lengths.draw(rng))
        finally:
            resume(victims)
        await asyncio.to_thread(self._part.bring_back, [], len(before))


def kill_and_wait(parts: Sequence[Part], rng: random.Random | None = None) -> None:
    """Kill all processes of these parts, or with `rng` those that it draws; return when all run again."""
    before = [part.pids() for part in parts]
    victims = [part.draw_victims(rng) if rng else pids for part, pids in zip(parts, before, strict=True)]
    for part, pids in zip(parts, victims, strict=True):
        if not pids:
            raise LookupError(f"no process of {part.name} runs")
    kill([pid for pids in victims for pid in pids])
    for part, pids, killed in zip(parts, before, victims, strict=True):
        part.bring_back(killed, len(pids))
