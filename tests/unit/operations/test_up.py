"""``manage.py up`` where something is in the way: one clear line, an exit code that is not 0, nothing left running."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from apps.operations.preflight import hold_data_folder

ROOT = Path(__file__).parents[3]


@pytest.fixture
def port() -> int:
    """A port that is free, as far as one can know."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def run_up(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "up", *arguments],
        cwd=ROOT,
        env=os.environ | {"CHAT_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def assert_one_line(ended: subprocess.CompletedProcess[str], data_dir: Path, *parts: str) -> None:
    """The program said in one line on stderr what is wrong, and left nobody working on the data folder."""
    assert ended.returncode != 0
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    for part in parts:
        assert part in lines[0]
    assert [process for process in psutil.process_iter(["cmdline"]) if mentions(process, data_dir)] == []


def mentions(process: psutil.Process, data_dir: Path) -> bool:
    return any(str(data_dir) in word for word in process.info["cmdline"] or ())


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        number = str(listener.getsockname()[1])
        ended = run_up(tmp_path, "--port", number)
    assert_one_line(ended, tmp_path, "cannot listen on 127.0.0.1", number, "address already in use")


def test_a_host_that_is_not_ours_is_named(tmp_path: Path, port: int) -> None:
    assert_one_line(run_up(tmp_path, "--host", "192.0.2.1", "--port", str(port)), tmp_path, "192.0.2.1")


@pytest.mark.parametrize("number", ["0", "-1", "65536", "http"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    ended = run_up(tmp_path, f"--port={number}")
    assert ended.returncode != 0
    assert f"'{number}' is not a port: it takes a whole number, 1 to 65535" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", ["0", "65", "many"])
def test_a_number_of_workers_that_makes_no_sense_is_refused(tmp_path: Path, number: str) -> None:
    ended = run_up(tmp_path, f"--workers={number}")
    assert ended.returncode != 0
    assert f"'{number}' is not a number of gateways: it takes 1 to 64" in ended.stderr


def test_a_data_folder_that_cannot_be_written_is_named(port: int) -> None:
    data_dir = Path("/proc/chatsite")
    assert_one_line(run_up(data_dir, "--port", str(port)), data_dir, "CHAT_DATA_DIR", "can be made and written")


def test_a_data_folder_in_use_names_the_process_that_holds_it(tmp_path: Path, port: int) -> None:
    with hold_data_folder(tmp_path):
        ended = run_up(tmp_path, "--port", str(port))
    assert_one_line(ended, tmp_path, f"in use by another `manage.py up`, process {os.getpid()}")


def test_a_data_folder_is_free_again_after_its_holder_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_data_folder(tmp_path):
            pass


def test_a_database_that_is_none_is_named(tmp_path: Path, port: int) -> None:
    (tmp_path / "users.sqlite3").write_text("this is no database, but long enough to be looked at as one" * 20)
    ended = run_up(tmp_path, "--port", str(port))
    assert_one_line(ended, tmp_path, "the database 'default' cannot be opened", "file is not a database")


def test_a_folder_that_valkey_cannot_use_is_named(tmp_path: Path, port: int) -> None:
    (tmp_path / "valkey").write_text("")
    assert_one_line(run_up(tmp_path, "--port", str(port)), tmp_path, "Valkey cannot use the folder")


def test_a_valkey_that_cannot_start_ends_everything_with_its_reason(tmp_path: Path, port: int) -> None:
    broken = tmp_path / "valkey" / "log" / "appendonlydir"
    broken.mkdir(parents=True)
    (broken / "appendonly.aof.manifest").write_text("nonsense\n")
    ended = run_up(tmp_path, "--port", str(port))
    assert_one_line(ended, tmp_path, "log cannot start", "AOF manifest file")
