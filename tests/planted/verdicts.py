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
OUTPUT_SHOWN = 4_000


class NoVerdict(Exception):
    """The simulation itself failed; its output is the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run said: the ``kinds`` of findings, and ``place``, the scenario or the first seed that broke a promise;
    both empty where all held. ``seconds`` are those on the wall.
    """

    kinds: frozenset[str]
    place: str
    seconds: float


def judge(bug: PlantedBug | None, *, seeds: str = SEEDS, budget_seconds: int = BUDGET_SECONDS) -> Verdict:
    """Simulate a tree that has the bug, or the tree as it is, until a promise breaks: in the bug's scenario, or else
    in seeds.

    Raises DoesNotApply, NoVerdict.
    """
    scenario = bug.scenario if bug else ""
    what = ["--scenario", scenario] if scenario else ["--seeds", seeds, "--budget", str(budget_seconds)]
    with copied_tree(bug.patch if bug else None) as tree, tempfile.TemporaryDirectory(prefix="chatsite-") as data:
        path = Path(data) / "report.json"
        output, seconds = _simulate(tree, data, [*what, "--no-shrink", "--json", str(path)])
        if not path.exists():
            raise NoVerdict(f"the simulation broke off:\n{output}")
        report = orjson.loads(path.read_bytes())
    broken = next((seed for seed in report["seeds"] if seed["findings"]), None)
    if broken is None:
        return Verdict(kinds=frozenset(), place="", seconds=seconds)
    kinds = frozenset(kind for kind, _ in broken["findings"])
    return Verdict(kinds=kinds, place=scenario or f"seed {broken['seed']}", seconds=seconds)


def _simulate(tree: Path, data: str, options: Sequence[str]) -> tuple[str, float]:
    """Let the simulation come to its verdict. Returns the end of its output, and the seconds that it took."""
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
    output = done.stdout[-OUTPUT_SHOWN:]
    if done.returncode not in (HELD, BROKEN):
        raise NoVerdict(f"the simulation ended with {done.returncode}:\n{output}")
    return output, time.monotonic() - began_at
