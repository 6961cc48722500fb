"""A wrong variable ends every door with one line, exit code 1 and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "up"],
        ["manage.py", "migrate"],
        ["-m", "celery", "-A", "chatsite", "worker"],
        ["-m", "celery", "-A", "chatsite", "beat"],
    ],
    ids=lambda command: " ".join(command[-2:]),
)
def test_a_wrong_variable_ends_the_start_with_one_line(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"RATE_LIMIT_PER_MINUTE": "many"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "chatsite: RATE_LIMIT_PER_MINUTE is 'many': it takes a whole number, 0 or more\n"
    assert ended.stdout == ""
