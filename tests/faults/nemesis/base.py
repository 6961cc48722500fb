"""What a fault is, and how one is made to strike."""

import asyncio
import contextlib
import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.client.site import Site

SiteT = TypeVar("SiteT", bound=Site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault that struck: which, whom, and from when to when, in seconds of `time.monotonic()`."""

    kind: str
    target: str
    began_at: float
    ended_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long faults hold that hold for a time, in seconds."""

    shortest: float
    longest: float

    def draw(self, rng: random.Random) -> float:
        """A length between both; short ones are as likely to be twice as long as long ones are."""
        return math.exp(rng.uniform(math.log(self.shortest), math.log(self.longest)))


LONG = Lengths(shortest=5.0, longest=60.0)
SHORT = Lengths(shortest=1.0, longest=6.0)
"""For runs of a minute or two."""


class Fault(ABC):
    """Something that can be done to a part of a running site, and undone."""

    kind: str
    """What is done, as one word: "kill", "pause" …"""

    says: str
    """What exactly happens, for people."""

    def __init__(self, target: str) -> None:
        self.target = target

    @abstractmethod
    async def inflict(self, rng: random.Random) -> None:
        """Strike, hold as long as it takes, undo it, and return when the part runs again.

        Undoes itself when it is cancelled too. Raises TimeoutError when the part does not come back.
        """

    async def strike(self, rng: random.Random) -> Strike:
        """Inflict it, and say when that was."""
        began_at = time.monotonic()
        await self.inflict(rng)
        return Strike(kind=self.kind, target=self.target, began_at=began_at, ended_at=time.monotonic())

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.target}>"


@dataclass(kw_only=True)
class StrikeableSite(Generic[SiteT]):
    """A running site with all that breaks it in place; clients use `site`, whose address leads through a proxy."""

    site: SiteT
    faults: Sequence[Fault]
    healers: Sequence[Callable[[], None]] = field(default=())

    def heal(self) -> None:
        """End whatever may still be broken: lines open, disks free, clocks right. Repeats do nothing."""
        for heal in self.healers:
            heal()


@contextlib.asynccontextmanager
async def open_in_thread(
    running: AbstractContextManager[StrikeableSite[SiteT]],
) -> AsyncIterator[StrikeableSite[SiteT]]:
    """Start a site without blocking the event loop; it is healed before it ends."""
    with contextlib.ExitStack() as stack:
        site = await asyncio.to_thread(lambda: stack.enter_context(running))
        try:
            yield site
        finally:
            await asyncio.to_thread(site.heal)
