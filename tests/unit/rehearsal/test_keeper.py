"""What ends by itself is started again and counted, what was asked to end is not."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.processes import wait_until
from tests.rehearsal.keeper import Keeper
from tests.servers.process import ServerProcess


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with Keeper() as running:
        yield running


def make_sleeper(folder: Path, name: str = "sleeper") -> ServerProcess:
    return ServerProcess(name, ["sleep", "600"], folder, lambda: True)


def test_what_was_killed_runs_again_and_is_counted(keeper: Keeper, tmp_path: Path) -> None:
    sleeper = make_sleeper(tmp_path)
    keeper.start(sleeper)
    first = sleeper.pid
    sleeper.kill()
    wait_until(lambda: sleeper.is_running and sleeper.pid != first, "a new process", 30)
    assert keeper.restarts == {"sleeper": 1}


def test_a_restart_that_was_asked_for_is_not_counted(keeper: Keeper, tmp_path: Path) -> None:
    sleeper = make_sleeper(tmp_path)
    keeper.start(sleeper)
    first = sleeper.pid
    keeper.restart(sleeper)
    assert sleeper.is_running
    assert sleeper.pid != first
    assert not keeper.restarts


def test_what_was_stopped_stays_stopped_while_others_are_kept(keeper: Keeper, tmp_path: Path) -> None:
    stopped, killed = make_sleeper(tmp_path, "stopped"), make_sleeper(tmp_path, "killed")
    keeper.start(stopped, killed)
    keeper.stop(stopped)
    killed.kill()
    wait_until(lambda: keeper.restarts["killed"] == 1, "the other one's restart", 30)
    assert not stopped.is_running


def test_nothing_is_left_in_the_end(tmp_path: Path) -> None:
    sleeper = make_sleeper(tmp_path)
    with Keeper() as keeper:
        keeper.start(sleeper)
    assert not sleeper.is_running
    assert not any(thread.name == "keeper" for thread in threading.enumerate())
