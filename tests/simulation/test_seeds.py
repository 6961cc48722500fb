"""A hundred seeds: every promise holds, and enough went wrong meanwhile that this means something."""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.campaign import Campaign, run_seeds
from tests.simulation.outcome import run_plan
from tests.simulation.plan import TARGETS, Act, CallOutcome, Plan

SEEDS = range(1, 101)
CHUNK = 10
pytestmark = pytest.mark.simulation
REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.json"))
# What must have happened in a hundred seeds, beside every kind of fault and operation.
HAPPENED = (
    "append outcome unknown",
    "duplicate record dropped",
    "drain",
    "rebuild",
    "lease taken over",
    "messages sent again",
    "messages repeats dropped",
    "came back after 4409",
    "came back after 1006",
    "came back after 1012",
)


@pytest.fixture(scope="module")
def counts() -> Counter[str]:
    """What happened in the seeds so far."""
    return Counter()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, CHUNK))
def test_every_promise_holds(first: int, counts: Counter[str]) -> None:
    campaign = run_seeds(range(first, first + CHUNK), jobs=min(2, os.cpu_count() or 1), keep_going=True)
    counts.update(campaign.counts)
    assert len(campaign.results) == CHUNK
    assert not campaign.broken, explain(campaign)


def test_the_seeds_were_no_idle_proof(counts: Counter[str]) -> None:
    if not counts:
        pytest.skip("the seeds did not run in this process")
    faults = {f"fault {kind} {target}" for kind, targets in TARGETS.items() for target in targets}
    calls = {f"call {outcome}" for outcome in CallOutcome}
    acts = {f"operation {act}" for act in Act}
    missing = [name for name in sorted({*faults, *calls, *acts, *HAPPENED}) if not counts[name]]
    assert missing == [], f"never happened; what did: {dict(sorted(counts.items()))}"
    assert counts["messages sent"] > 10_000
    assert counts["messages delivered"] > 0.8 * counts["messages sent"]


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_once_broke_holds(path: Path) -> None:
    outcome = run_plan(Plan.from_json(path.read_bytes()), keeps_trace=True)
    story = "\n".join(str(event) for event in outcome.story())
    assert outcome.is_clean, f"{story}\n" + "\n".join(f"{f.kind}: {f.detail}" for f in outcome.findings)


def explain(campaign: Campaign) -> str:
    """The findings of the broken seeds, and how to see them again."""
    lines = []
    for result in campaign.broken:
        lines.append(f"python -m tests.simulation --seed {result.seed}")
        lines += [f"  {kind}: {detail}" for kind, detail in result.findings[:5]]
    return "\n".join(lines)
