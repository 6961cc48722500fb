"""Processes that share a folder: none disturbs another, the dead leave their counts and nothing else."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.observability.process_slots import FOLDER_VARIABLE, open_shared_folder

PROJECT = Path(__file__).resolve().parents[3]
COUNT = "from apps.observability.metrics import *; CONNECTIONS_OPENED.inc({0}); CONNECTIONS.set({0}); "
STAY = "print('ready', flush=True); input()"
SHOW = "from apps.observability.exposition import render_metrics; print(render_metrics().decode())"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "metrics"))
    return tmp_path / "metrics"


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def run(code: str) -> str:
    with start(code) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output


def shown() -> tuple[float, float | None]:
    """Connections opened, and those that are open (None: no process is alive that counts them)."""
    text = run(SHOW)
    opened = re.search(r"^chatsite_connections_opened_total (\S+)$", text, re.MULTILINE)
    still = re.search(r"^chatsite_connections (\S+)$", text, re.MULTILINE)
    assert opened is not None
    return float(opened[1]), float(still[1]) if still else None


def ready(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    process.communicate(timeout=60)


def test_processes_that_live_at_once_are_summed(folder: Path) -> None:
    both = [ready(start(COUNT.format(number) + STAY)) for number in (2, 3)]
    assert shown() == (5, 5)
    for process in both:
        end(process, signal.SIGKILL)


def test_a_killed_process_leaves_its_counts_and_takes_its_gauges_with_it(folder: Path) -> None:
    process = ready(start(COUNT.format(2) + STAY))
    assert shown() == (2, 2)
    end(process, signal.SIGKILL)
    # The process that shows them has a gauge of its own, at 0.
    assert shown() == (2, 0)


def test_who_comes_after_a_dead_process_counts_on_and_adds_no_files(folder: Path) -> None:
    run(COUNT.format(2))
    files = sorted(path.name for path in folder.iterdir())
    for _ in range(3):
        run(COUNT.format(2))
    assert sorted(path.name for path in folder.iterdir()) == files
    assert shown() == (8, 0)


def test_a_forked_child_counts_beside_its_parent(folder: Path) -> None:
    fork = (
        "import os; child = os.fork(); CONNECTIONS_OPENED.inc(10)\n"
        "if child: os.waitpid(child, 0)\n"
        "else: os._exit(0)\n"
        "CONNECTIONS_OPENED.inc(100)"
    )
    run(COUNT.format(1) + fork)
    assert shown()[0] == 1 + 10 + 10 + 100


def test_a_celery_worker_always_shares_for_its_tasks_run_in_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    role = "import sys; sys.argv = ['/bin/celery', '-A', 'chatsite', 'worker']; "
    fork = "import os; child = os.fork(); CONNECTIONS_OPENED.inc(10); os.waitpid(child, 0) if child else os._exit(0); "
    place = f"print('folder', os.environ['{FOLDER_VARIABLE}']); "
    text = run(role + COUNT.format(1) + fork + place + SHOW)
    assert "\nchatsite_connections_opened_total 21.0\n" in text
    own = re.search(r"^folder (.+)$", text, re.MULTILINE)
    assert own is not None
    assert not Path(own[1]).exists()


def test_opening_a_folder_empties_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    folder = tmp_path / "run" / "metrics"
    for _ in range(2):
        open_shared_folder(folder)
        assert os.environ[FOLDER_VARIABLE] == str(folder)
        assert list(folder.iterdir()) == []
        (folder / "counter_relay-1.db").write_bytes(b"old")
