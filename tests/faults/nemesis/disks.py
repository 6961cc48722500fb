"""A disk that is full."""

import asyncio
import random

from tests.faults.nemesis.base import Fault, Lengths
from tests.faults.nemesis.parts import Part
from tests.faults.nemesis.shim import ControlPage


class FillDisk(Fault):
    """The part's disk is full for a while."""

    kind = "disk-full"
    says = "each write and each sync of a file fails with ENOSPC for a while, in the part and in those that follow it"

    def __init__(self, part: Part, page: ControlPage, lengths: Lengths) -> None:
        super().__init__(part.name)
        self._part = part
        self._page = page
        self._lengths = lengths

    async def inflict(self, rng: random.Random) -> None:
        """Fill, hold, make room; where the part ended for lack of it, wait until it is back."""
        before = await asyncio.to_thread(self._part.pids)
        try:
            self._page.fill_disk(full=True)
            await asyncio.sleep(self._lengths.draw(rng))
        finally:
            self._page.fill_disk(full=False)
        await asyncio.to_thread(self._part.bring_back, [], len(before))
