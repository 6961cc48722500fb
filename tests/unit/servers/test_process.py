"""Servers of tests are started, broken and ended for real; here the server is Python's own web server."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.client.processes import wait_until
from tests.client.site import PROJECT
from tests.servers.ports import FIRST_PORT, LAST_PORT, accepts_connections, find_server_port
from tests.servers.process import ServerProcess, running, server_folder

STARTER = """
import os, sys
from pathlib import Path
from tests.servers.process import ServerProcess
server = ServerProcess("sleeper", ["sleep", "600"], Path(sys.argv[1]), lambda: True)
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


def make_web_server(folder: Path) -> ServerProcess:
    port = find_server_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    return ServerProcess("web", command, folder, partial(accepts_connections, port))


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[ServerProcess]:
    server = make_web_server(tmp_path)
    with running(server):
        yield server


def test_a_killed_server_comes_back_on_its_port(web_server: ServerProcess) -> None:
    first = web_server.pid
    web_server.kill()
    assert not web_server.is_running
    web_server.restart()
    assert web_server.is_running
    assert web_server.pid != first


def test_a_paused_server_is_still_there_and_stops_when_asked(web_server: ServerProcess) -> None:
    web_server.pause()
    assert web_server.is_running
    assert psutil.Process(web_server.pid).status() == psutil.STATUS_STOPPED
    assert web_server.stop() == -signal.SIGTERM
    assert not web_server.is_running


def test_one_that_runs_is_not_started_twice(web_server: ServerProcess) -> None:
    with pytest.raises(RuntimeError, match="web runs already"):
        web_server.start()


def test_one_that_ends_while_it_starts_is_reported_with_what_it_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such port')"]
    server = ServerProcess("broken", command, tmp_path, lambda: False)
    with pytest.raises(RuntimeError, match=r"broken ended:\nno such port"), running(server):
        pytest.fail("it does not run")


def test_one_that_ignores_its_signal_is_killed(tmp_path: Path) -> None:
    server = ServerProcess("deaf", [sys.executable, "-c", DEAF], tmp_path, lambda: True, stop_timeout=0.2)
    server.start()
    wait_until(lambda: "up" in server.output, "a running script", 30)
    assert server.stop() == -signal.SIGKILL


def test_a_server_dies_with_the_interpreter_that_started_it(tmp_path: Path) -> None:
    starter = [sys.executable, "-c", STARTER, str(tmp_path)]
    said = subprocess.run(starter, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert said.returncode == -signal.SIGKILL, said.stderr
    wait_until(lambda: has_ended(int(said.stdout)), "the end of the orphan", 10)


def test_a_server_outlives_the_thread_in_which_it_was_started(tmp_path: Path) -> None:
    server = make_web_server(tmp_path)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    server.wait_ready()
    assert server.stop() is not None


def test_a_folder_goes_with_its_server_and_stays_where_something_failed() -> None:
    with server_folder("kept-not") as folder:
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(ValueError, match="broken") as failure, server_folder("kept") as folder:
        raise ValueError("broken")
    assert failure.value.__notes__ == [f"folder of kept: {folder}"]
    folder.rmdir()


def test_ports_of_servers_are_none_that_a_client_could_be_given() -> None:
    ports = {find_server_port() for _ in range(20)}
    assert all(FIRST_PORT <= port <= LAST_PORT for port in ports)
    assert not any(accepts_connections(port) for port in ports)


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
