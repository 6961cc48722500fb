"""Supervision of real processes: restarts, order of stopping, output, and that nothing outlives the supervisor."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
# Prints "up", then waits; ends when it is told to.
PATIENT = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(print('bye'))); print('up', flush=True);"
PATIENT += "time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


class Supervised:
    """The program under test, and the lines it has printed."""

    def __init__(self, folder: Path, parts: list[dict[str, object]]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("supervised.py")), str(folder), json.dumps(parts)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []

    def read_until(self, is_enough: Callable[[], bool]) -> None:
        """Read lines until the condition holds; the test's timeout ends a wait in vain."""
        assert self.process.stdout
        for printed in self.process.stdout:
            self.lines.append(" ".join(printed.split()))
            if is_enough():
                return
        pytest.fail(f"the program ended after: {self.lines}")

    def wait_for(self, line: str) -> None:
        """Read until the next line of this text."""
        self.read_until(lambda: self.lines[-1] == line)

    def rest(self) -> list[str]:
        """Read all up to the end of the program."""
        assert self.process.stdout
        self.lines += [" ".join(printed.split()) for printed in self.process.stdout]
        self.process.wait()
        return self.lines

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[type[Supervised]]:
    running: list[Supervised] = []

    class Started(Supervised):
        def __init__(self, *parts: dict[str, object]) -> None:
            super().__init__(tmp_path, list(parts))
            running.append(self)

    yield Started
    for program in running:
        program.process.kill()
        program.process.wait()
        if program.process.stdout:
            program.process.stdout.close()


def wait_until_gone(processes: list[psutil.Process]) -> None:
    assert psutil.wait_procs(processes, timeout=10)[1] == []


@pytest.mark.timeout(30)
def test_a_killed_part_is_running_again_within_a_second(supervised: type[Supervised]) -> None:
    program = supervised({"name": "part", "command": python(PATIENT)})
    program.wait_for("part │ up")
    killed_at = time.monotonic()
    program.children()[0].kill()
    program.wait_for("part │ up")
    assert time.monotonic() - killed_at < 1.5  # 0.25 s, and the start of an interpreter on a busy machine


@pytest.mark.timeout(30)
def test_parts_stop_in_the_order_of_their_ranks_and_the_next_rank_waits(supervised: type[Supervised]) -> None:
    slow = "import signal, sys, time; signal.signal(15, lambda *_: (time.sleep(0.5), sys.exit(print('bye'))));"
    slow += "print('up', flush=True); time.sleep(600)"
    program = supervised(
        {"name": "server", "command": python(PATIENT), "stop_rank": 1},
        {"name": "door", "command": python(slow), "stop_rank": 3},
        {"name": "middle", "command": python(PATIENT), "stop_rank": 2},
    )
    program.read_until(lambda: sum(line.endswith("│ up") for line in program.lines) == 3)
    program.lines.clear()
    program.process.send_signal(signal.SIGTERM)
    assert program.rest() == ["door │ bye", "middle │ bye", "server │ bye", "up │ all stopped"]
    assert program.process.returncode == 0


@pytest.mark.timeout(30)
def test_a_part_that_does_not_stop_is_killed_with_its_children(supervised: type[Supervised]) -> None:
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]);" + STUBBORN
    program = supervised({"name": "part", "command": python(parent), "stop_seconds": 1})
    program.wait_for("part │ up")
    program.wait_for("part │ up")
    children = program.children()
    assert len(children) == 2
    program.process.send_signal(signal.SIGINT)
    assert program.rest()[-1] == "up │ all stopped"
    wait_until_gone(children)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.timeout(30)
def test_nothing_outlives_a_supervisor_that_is_killed(supervised: type[Supervised]) -> None:
    program = supervised({"name": "part", "command": python(STUBBORN)})
    program.wait_for("part │ up")
    children = program.children()
    assert children
    program.process.kill()
    wait_until_gone(children)


@pytest.mark.timeout(30)
def test_the_last_words_of_a_part_are_heard(supervised: type[Supervised]) -> None:
    program = supervised({"name": "part", "command": python("import sys; sys.exit('no such file')")})
    program.wait_for("up │ part ended, last words: no such file")
    assert "part │ no such file" in program.lines


@pytest.mark.timeout(30)
def test_restarts_of_a_part_that_cannot_stay_up_slow_down(supervised: type[Supervised]) -> None:
    program = supervised({"name": "part", "command": ["/bin/sh", "-c", "echo tried"]})
    times = []
    for _ in range(4):
        program.wait_for("part │ tried")
        times.append(time.monotonic())
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] < pauses[1] < pauses[2]
    assert pauses[2] > 0.9


@pytest.mark.timeout(30)
def test_a_part_that_runs_once_is_not_started_again(supervised: type[Supervised]) -> None:
    program = supervised(
        {"name": "once", "command": ["/bin/sh", "-c", "echo done"], "runs_once": True},
        {"name": "part", "command": ["/bin/sh", "-c", "sleep 0.3; echo tried"]},
    )
    program.wait_for("part │ tried")
    program.wait_for("part │ tried")
    assert program.lines.count("once │ done") == 1
