"""In which order faults strike: in rounds of changing order, so that every kind comes as often as any other."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar


class Fault(Protocol):
    """What a run asks of a fault."""

    @property
    def kind(self) -> str:
        """What it does."""

    @property
    def target(self) -> str:
        """To which part."""

    @property
    def says(self) -> str:
        """What exactly happens, for people."""

    async def inflict(self, rng: random.Random) -> None:
        """Strike, hold as long as it takes, undo it, and return when the part runs again."""


FaultT = TypeVar("FaultT", bound=Fault)


def draw_rounds(faults: Sequence[FaultT], rng: random.Random) -> Iterator[FaultT]:
    """One fault after another, without end; each round has every kind once, and the targets of a kind take turns.

    Raises ValueError where there is none.
    """
    if not faults:
        raise ValueError("there is no fault to draw from")
    turns = {kind: _draw_turns(of_kind, rng) for kind, of_kind in group_by_kind(faults).items()}
    while True:
        for kind in rng.sample(list(turns), len(turns)):
            yield next(turns[kind])


def group_by_kind(faults: Sequence[FaultT]) -> Mapping[str, list[FaultT]]:
    """The faults of each kind, in the given order."""
    groups: dict[str, list[FaultT]] = {}
    for fault in faults:
        groups.setdefault(fault.kind, []).append(fault)
    return groups


def choose_kinds(faults: Sequence[FaultT], only: Sequence[str]) -> list[FaultT]:
    """The faults of these kinds, or all when none is named. Raises ValueError naming a kind that there is not."""
    known = group_by_kind(faults)
    for kind in only:
        if kind not in known:
            raise ValueError(f"there is no fault of kind {kind!r}; there are: {', '.join(sorted(known))}")
    return [fault for fault in faults if not only or fault.kind in only]


def _draw_turns(faults: Sequence[FaultT], rng: random.Random) -> Iterator[FaultT]:
    while True:
        yield from rng.sample(faults, len(faults))
