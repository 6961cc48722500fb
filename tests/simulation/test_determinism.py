"""A run is a function of its plan and of nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEEDS = (1, 2, 3)
PRINT_DIGESTS = """
import sys
from tests.simulation.outcome import run_plan
from tests.simulation.planning import make_plan
for seed in sys.argv[1:]:
    print(run_plan(make_plan(int(seed))).digest)
"""


def find_digests(hash_seed: str, *seeds: int) -> list[str]:
    """The digests of the traces of some seeds, run one after another in a process of their own."""
    command = [sys.executable, "-c", PRINT_DIGESTS, *map(str, seeds)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    answer = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return answer.stdout.split()


@pytest.mark.simulation
@pytest.mark.timeout(600)
def test_the_same_seed_tells_the_same_story_in_every_process() -> None:
    together = find_digests("0", *SEEDS)
    assert len(set(together)) == len(SEEDS)
    # Another hash seed, and in another order: nothing may be left of one run in the next.
    assert find_digests("4711", *reversed(SEEDS)) == list(reversed(together))
