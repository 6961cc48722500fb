"""Running the simulation in a copy of the tree, and reading what it found there."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.planted.catalogue import PlantedBug
from tests.planted.tree import copied_tree

SEEDS = "1-60"
"""Where a bug must be found: about a minute's work for an idle machine of two cores."""

BUDGET_SECONDS = 400
"""No seed begins after that: a busy machine takes its time."""

PATIENCE_SECONDS = 800
"""How long it may take on a machine that is busy; beyond it hangs."""

HELD, BROKEN = 0, 1


class NoVerdict(Exception):
    """The simulation itself failed; its output is the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run said: ``kinds`` of the findings of ``seed``, the first that broke a promise; empty and None where all
    held. ``seconds`` are those on the wall.
    """

    kinds: frozenset[str]
    seed: int | None
    seconds: float


def judge(bug: PlantedBug | None, *, seeds: str = SEEDS, budget_seconds: int = BUDGET_SECONDS) -> Verdict:
    """Simulate a tree that has the bug, or the tree as it is, until a promise breaks.

    Raises DoesNotApply, NoVerdict.
    """
    with copied_tree(bug.patch if bug else None) as tree, tempfile.TemporaryDirectory(prefix="chatsite-") as data:
        path = Path(data) / "report.json"
        options = ("--seeds", seeds, "--budget", str(budget_seconds), "--no-shrink", "--json", str(path))
        seconds = _simulate(tree, data, options)
        report = orjson.loads(path.read_bytes())
    broken = next((seed for seed in report["seeds"] if seed["findings"]), None)
    if broken is None:
        return Verdict(kinds=frozenset(), seed=None, seconds=seconds)
    return Verdict(kinds=frozenset(kind for kind, _ in broken["findings"]), seed=broken["seed"], seconds=seconds)


def _simulate(tree: Path, data: str, options: Sequence[str]) -> float:
    """Let the simulation come to its verdict. Returns the seconds that it took."""
    began_at = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *options],
        cwd=tree,
        env={**os.environ, "CHAT_DATA_DIR": data},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode not in (HELD, BROKEN):
        raise NoVerdict(f"the simulation ended with {done.returncode}:\n{done.stdout[-4_000:]}")
    return time.monotonic() - began_at
