"""Processes are told apart by their command lines, and found, killed and awaited for real."""

import signal
import subprocess
import sys
import time

import pytest

from tests.client.processes import Processes, Role, find_role, send_signal, wait_until

PYTHON = "/usr/bin/python3"


@pytest.mark.parametrize(
    ("command_line", "role"),
    [
        ([PYTHON, "/srv/manage.py", "gateway", "--port", "8000"], Role.GATEWAY),
        ([PYTHON, "/srv/manage.py", "relay"], Role.RELAY),
        ([PYTHON, "-m", "celery", "-A", "chatsite", "worker", "-Q", "gaps"], Role.WORKER),
        ([PYTHON, "-m", "celery", "-A", "chatsite", "beat"], Role.BEAT),
        (["/bin/valkey-server unixsocket:/tmp/chat-x/run/cache.sock"], Role.CACHE),
        (["/bin/valkey-server", "--unixsocket", "/tmp/chat-x/run/log.sock"], Role.LOG),
        ([PYTHON, "/srv/manage.py", "up"], None),
        ([], None),
    ],
)
def test_a_command_line_tells_the_role(command_line: list[str], role: Role | None) -> None:
    assert find_role(command_line) == role


def test_a_process_is_found_killed_and_its_successor_awaited() -> None:
    """The supervisor of this test starts a sleeping "relay" again whenever it ends."""
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)", "relay"]
    restart = f"import subprocess\nwhile True: subprocess.run({sleeper!r})"
    with subprocess.Popen([sys.executable, "-c", restart]) as supervisor:
        try:
            processes = Processes(supervisor.pid)
            first = wait_until(lambda: processes.pids(Role.RELAY), "the relay", 10)
            assert processes.kill(Role.RELAY) == first
            second = processes.wait_for_new(Role.RELAY, first)
            assert set(second).isdisjoint(first)
            with pytest.raises(LookupError, match="no gateway"):
                processes.kill(Role.GATEWAY)
        finally:
            left = processes.pids(Role.RELAY)
            supervisor.kill()
            send_signal(left, signal.SIGKILL)


def test_waiting_for_what_never_comes_ends_and_names_it() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="a miracle"):
        wait_until(lambda: False, "a miracle", 0.2)
    assert time.monotonic() - started < 2
