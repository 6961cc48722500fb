"""Clocks that step."""

import asyncio
import random
from collections.abc import Sequence

from tests.faults.nemesis.base import Fault, Lengths
from tests.faults.nemesis.shim import ControlPage

STEPS = (2.0, 30.0, 600.0, 5 * 3600.0)  # seconds, ahead or behind


class StepClock(Fault):
    """The wall clock of a part's host is wrong for a while."""

    kind = "clock"
    says = "the part's wall clock steps ahead or back, by seconds to hours, and back again after a while"

    def __init__(self, target: str, pages: Sequence[ControlPage], lengths: Lengths) -> None:
        super().__init__(target)
        self._pages = pages
        self._lengths = lengths

    async def inflict(self, rng: random.Random) -> None:
        """Step, hold, step back."""
        page = rng.choice(self._pages)
        try:
            page.set_clock(rng.choice(STEPS) * rng.choice((-1, 1)))
            await asyncio.sleep(self._lengths.draw(rng))
        finally:
            page.set_clock(0.0)
