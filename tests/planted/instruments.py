"""Running an instrument in a copy of the tree, and reading what it found there."""

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

BUDGET_SECONDS = 60
"""How long the simulation may look for a bug."""

SEEDS = "1-1000"
PATIENCE_SECONDS = 600
"""How long an instrument may take on a machine that is busy; beyond it hangs."""

FAULT_TEST = ("--profile", "embedded", "--seed", "1", "--minutes", "1")
HELD, BROKEN = 0, 1


class InstrumentFailed(Exception):
    """The instrument itself did not come to a verdict; its output is the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one run said: ``kinds`` of its findings, empty where every promise held; the first seed that showed them,
    None where the instrument has only one; wall seconds until then.
    """

    kinds: frozenset[str]
    seed: int | None
    seconds: float


def judge(bug: PlantedBug | None, *, seeds: str = SEEDS, budget_seconds: int = BUDGET_SECONDS) -> Verdict:
    """Run a bug's instrument on a tree that has the bug; without a bug, the simulation on the tree as it is.

    Raises DoesNotApply, InstrumentFailed.
    """
    with copied_tree(bug.patch if bug else None) as tree:
        if bug is not None and bug.instrument == "faults":
            return _run_fault_test(tree, bug.options)
        return _run_simulation(tree, seeds, budget_seconds)


def _run_simulation(tree: Path, seeds: str, budget_seconds: int) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="chatsite-verdict-") as folder:
        path = Path(folder) / "report.json"
        options = ("--seeds", seeds, "--budget", str(budget_seconds), "--no-shrink", "--json", str(path))
        seconds = _run(tree, Path(folder), "tests.simulation", options)
        report = orjson.loads(path.read_bytes())
    broken = next((seed for seed in report["seeds"] if seed["findings"]), None)
    if broken is None:
        return Verdict(kinds=frozenset(), seed=None, seconds=seconds)
    return Verdict(kinds=frozenset(kind for kind, _ in broken["findings"]), seed=broken["seed"], seconds=seconds)


def _run_fault_test(tree: Path, options: Sequence[str]) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="chatsite-verdict-") as folder:
        seconds = _run(tree, Path(folder), "tests.faults.run", (*FAULT_TEST, *options, "--report-dir", folder))
        report = orjson.loads((Path(folder) / "report.json").read_bytes())
    return Verdict(kinds=frozenset(finding["kind"] for finding in report["findings"]), seed=None, seconds=seconds)


def _run(tree: Path, data: Path, module: str, options: Sequence[str]) -> float:
    """Let an instrument come to its verdict. Returns the wall seconds that it took."""
    began_at = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=tree,
        env={**os.environ, "CHAT_DATA_DIR": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode not in (HELD, BROKEN):
        raise InstrumentFailed(f"{module} ended with {done.returncode}:\n{done.stdout[-4_000:]}")
    return time.monotonic() - began_at
