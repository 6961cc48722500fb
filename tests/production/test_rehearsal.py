"""``make rehearsal`` is one command: it says where the site is, and Ctrl-C leaves nothing behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.client.processes import send_signal, wait_until
from tests.client.site import PROJECT
from tests.servers.ports import find_server_port

START_TIMEOUT = 240.0
STOP_TIMEOUT = 90.0


class Rehearsal:
    """The command in a process of its own, with its output in a file."""

    def __init__(self, folder: Path) -> None:
        self.port = find_server_port()
        self._output = folder / "output"
        with self._output.open("wb") as output:
            command = [sys.executable, "-m", "tests.rehearsal", "--port", str(self.port)]
            self.process = subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        return self._output.read_text()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.output
        return "ready: " in self.output


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    started = Rehearsal(tmp_path)
    yield started
    send_signal([started.process.pid], signal.SIGKILL)
    started.process.wait()


def test_the_rehearsal_says_where_it_is_and_leaves_nothing_behind(rehearsal: Rehearsal) -> None:
    wait_until(rehearsal.is_ready, "a rehearsal that is ready", START_TIMEOUT)
    address = f"https://localhost:{rehearsal.port}"
    assert f"ready: {address} " in rehearsal.output
    assert httpx.get(f"{address}/healthz", verify=False).text == "ok"  # noqa: S501 (its certificate is its own)
    children = psutil.Process(rehearsal.process.pid).children(recursive=True)
    [folder] = [Path(line.split()[1]).parents[1] for line in rehearsal.output.splitlines() if line.startswith("output")]
    assert folder.is_dir()
    rehearsal.process.send_signal(signal.SIGINT)
    assert rehearsal.process.wait(STOP_TIMEOUT) == 0, rehearsal.output
    assert psutil.wait_procs(children, timeout=5)[1] == []
    assert not folder.exists()
