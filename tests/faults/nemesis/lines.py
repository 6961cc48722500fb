"""Faults of the lines between parts: cut, slow, half-open, open one way only."""

import asyncio
import random
from abc import abstractmethod
from collections.abc import Sequence

from tests.client.line import Line
from tests.client.proxy import Way
from tests.faults.nemesis.base import Fault, Lengths

DELAY, JITTER = 0.2, 1.3
BOTH_WAYS = tuple(Way)


Bundle = Sequence[Line]
"""Lines that break together, as those of one host."""


class LineFault(Fault):
    """Does the same to the lines from one part to another: to one bundle of them, or to all."""

    def __init__(self, target: str, bundles: Sequence[Bundle], lengths: Lengths) -> None:
        super().__init__(target)
        self._bundles = bundles
        self._lengths = lengths

    async def inflict(self, rng: random.Random) -> None:
        """Break one or all, hold, and mend them: what waited passes, or every connection dies in the end."""
        bundles = self._bundles if rng.random() < 0.5 else [rng.choice(self._bundles)]
        struck = [line for bundle in bundles for line in bundle]
        ways = self.draw_ways(rng)
        dies = rng.random() < 0.5
        try:
            for line in struck:
                await asyncio.to_thread(self.break_line, line, ways)
            await asyncio.sleep(self._lengths.draw(rng))
        finally:
            for line in struck:
                if dies:
                    line.reset()
                else:
                    line.heal()

    def draw_ways(self, rng: random.Random) -> Sequence[Way]:
        """Which ways are concerned."""
        return BOTH_WAYS

    @abstractmethod
    def break_line(self, line: Line, ways: Sequence[Way]) -> None:
        """Do it to one line."""


class Cut(LineFault):
    """Every connection is reset."""

    kind = "cut"
    says = "every connection over the line is reset and new ones are refused for a while"

    def break_line(self, line: Line, ways: Sequence[Way]) -> None:
        """Reset and refuse."""
        line.cut()


class SlowDown(LineFault):
    """Every chunk waits."""

    kind = "delay"
    says = f"each chunk on the line waits {DELAY * 1000:.0f} to {(DELAY + JITTER) * 1000:.0f} ms, both ways"

    def break_line(self, line: Line, ways: Sequence[Way]) -> None:
        """Slow down."""
        line.slow_down(DELAY, JITTER)


class HalfOpen(LineFault):
    """Nothing passes, nobody is told."""

    kind = "half-open"
    says = "nothing passes the line, and no end hears of it; then what waited passes, or all connections are reset"

    def break_line(self, line: Line, ways: Sequence[Way]) -> None:
        """Stall."""
        line.stall(ways)


class OneWay(HalfOpen):
    """Nothing passes one way."""

    kind = "one-way"
    says = "the line carries bytes one way only; then what waited passes, or all connections are reset"

    def draw_ways(self, rng: random.Random) -> Sequence[Way]:
        """One of both."""
        return [rng.choice(BOTH_WAYS)]


def list_line_faults(target: str, bundles: Sequence[Bundle], lengths: Lengths) -> list[Fault]:
    """All that can be done to the lines from one part to another."""
    return [make(target, bundles, lengths) for make in (Cut, SlowDown, HalfOpen, OneWay)]
