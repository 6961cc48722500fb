"""Faults strike in rounds, so that no kind and no target is forgotten."""

import itertools
import random
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.faults.schedule import choose_kinds, draw_rounds


@dataclass(frozen=True)
class SomeFault:
    kind: str
    target: str
    says: str = "nothing happens"

    async def inflict(self, rng: random.Random) -> None:
        """Nothing happens."""


FAULTS = [
    *(SomeFault("kill", target) for target in ("gateway", "relay", "worker")),
    *(SomeFault("pause", target) for target in ("gateway", "relay")),
    SomeFault("flush", "cache"),
]


def draw(number: int, seed: int = 1) -> list[SomeFault]:
    return list(itertools.islice(draw_rounds(FAULTS, random.Random(seed)), number))


def test_every_round_has_every_kind_once() -> None:
    drawn = draw(30)
    for start in range(0, 30, 3):
        assert sorted(fault.kind for fault in drawn[start : start + 3]) == ["flush", "kill", "pause"]


def test_the_targets_of_a_kind_take_turns() -> None:
    assert Counter(fault.target for fault in draw(18) if fault.kind == "kill") == dict.fromkeys(
        ("gateway", "relay", "worker"), 2
    )


def test_a_seed_gives_the_same_order_each_time() -> None:
    assert draw(30) == draw(30)
    assert draw(30) != draw(30, seed=2)


def test_kinds_are_chosen_by_name() -> None:
    assert choose_kinds(FAULTS, ()) == FAULTS
    assert choose_kinds(FAULTS, ("flush", "pause")) == FAULTS[3:]
    with pytest.raises(ValueError, match="no fault of kind 'freeze'; there are: flush, kill, pause"):
        choose_kinds(FAULTS, ("kill", "freeze"))


def test_there_is_nothing_to_draw_from_nothing() -> None:
    with pytest.raises(ValueError, match="no fault"):
        next(draw_rounds([], random.Random(1)))
