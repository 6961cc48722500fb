"""A hundred seeds: every promise holds, and enough went wrong meanwhile that this means something."""

import os

import pytest

from tests.simulation.campaign import Campaign, run_seeds
from tests.simulation.plan import TARGETS, CallOutcome
from tests.simulation.planning import WEIGHTS

SEEDS = range(1, 101)
LEAST_OPERATIONS = 200
LEAST_FAULTS = 5
PATIENCE = 1_800
"""Seconds, for all of them on a machine that does much else; an idle one of two cores takes two minutes."""

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(PATIENCE)]
# What must have happened in a hundred seeds, beside every kind of fault and operation.
HAPPENED = (
    "append outcome unknown",
    "duplicate record dropped",
    "drain",
    "rebuild",
    "lease taken over",
    "messages sent again",
    "messages repeats dropped",
    "closed with 4409",
    "closed with 1006",
    "closed with 1012",
)


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """What the seeds showed."""
    return run_seeds(SEEDS, jobs=min(2, os.cpu_count() or 1), keep_going=True)


def test_every_promise_holds(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n  {campaign.verdict()}")
    assert sorted(result.seed for result in campaign.results) == list(SEEDS)
    assert not campaign.broken, explain(campaign)


def test_the_seeds_were_no_idle_proof(campaign: Campaign) -> None:
    counts = campaign.counts
    faults = {f"fault {kind} {target}" for kind, targets in TARGETS.items() for target in targets}
    calls = {f"call {outcome}" for outcome in CallOutcome}
    acts = {f"operation {act}" for act in WEIGHTS}
    missing = [name for name in sorted({*faults, *calls, *acts, *HAPPENED}) if not counts[name]]
    assert missing == [], f"never happened; what did: {dict(sorted(counts.items()))}"
    assert min(result.operations for result in campaign.results) >= LEAST_OPERATIONS
    assert min(result.faults for result in campaign.results) >= LEAST_FAULTS
    assert counts["messages sent"] > 10_000
    assert counts["messages delivered"] > 0.8 * counts["messages sent"]


def explain(campaign: Campaign) -> str:
    """The findings of the broken seeds, and how to see them again."""
    lines = []
    for result in campaign.broken:
        lines.append(f"python -m tests.simulation --seed {result.seed}")
        lines += [f"  {kind}: {detail}" for kind, detail in result.findings[:5]]
    return "\n".join(lines)
