"""``manage.py up`` when all is well: it comes up, heals, and goes away without a trace."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
WORDS_OF_PARTS = ["gateway", "relay", "-A chatsite worker", "-A chatsite beat", "cache.sock", "log.sock"]


class RunningSite:
    """An ``up`` in a process of its own, with its output in a file."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._output = data_dir / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", f"--port={self.port}", *arguments],
                cwd=ROOT,
                env=os.environ | {"CHAT_DATA_DIR": str(data_dir)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.supervisor = psutil.Process(self.process.pid)

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        try:
            connection.request("GET", "/readyz")
            return json.loads(connection.getresponse().read())["ready"] is True
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        self.wait_until(self.is_ready)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for what can only be seen from outside; the test's timeout ends a wait in vain."""
        while not condition():
            assert self.process.poll() is None, self.output
            time.sleep(0.05)

    def parts(self, words: str) -> list[psutil.Process]:
        """The children whose command line has these words in it."""
        return [child for child in self.supervisor.children() if words in command_line(child)]


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return ""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path, "--demo")
    yield running
    running.process.kill()
    running.process.wait()


@pytest.mark.timeout(120)
def test_the_site_comes_up_heals_whatever_is_killed_and_stops_without_a_trace(site: RunningSite) -> None:
    site.wait_until_ready()
    site.wait_until(lambda: "as bob with password" in site.output)
    assert f"ready: http://127.0.0.1:{site.port}" in site.output
    assert "as alice with password" in site.output

    for words in WORDS_OF_PARTS:
        [victim] = site.parts(words)
        its_children = victim.children(recursive=True)
        victim.kill()
        site.wait_until(lambda words=words, victim=victim: [part for part in site.parts(words) if part != victim])
        assert psutil.wait_procs(its_children, timeout=5)[1] == []
        site.wait_until_ready()

    everything = site.supervisor.children(recursive=True)
    stopped_at = time.monotonic()
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(timeout=25) == 0
    assert time.monotonic() - stopped_at < 20
    assert psutil.wait_procs(everything, timeout=1)[1] == []
    assert "stopped" in site.output.splitlines()[-1]
