"""A process under the shim has a disk, a clock and lines as its control page says."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.client.processes import wait_until
from tests.client.proxy import running_proxy
from tests.faults.nemesis.files import cut_back, newest_file
from tests.faults.nemesis.shim import Shim, ShimMissing, build
from tests.servers.valkey import ValkeyServer, running_valkey

HOUR = 3600.0
pytestmark = pytest.mark.skipif(shutil.which("cc") is None and "CI" not in os.environ, reason="there is no C compiler")


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    folder = tmp_path / "shim"
    folder.mkdir()
    return Shim(folder)


@pytest.fixture
def log(shim: Shim) -> Iterator[ValkeyServer]:
    """A Valkey that syncs before it answers."""
    shim.page("valkey")
    with running_valkey("always", variables_of=shim.environment) as server:
        yield server


def run_python(shim: Shim, source: str, role: str | None = "part", *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source, *words],
        env=os.environ | shim.environment(role),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def append_only_file(server: ValkeyServer) -> Path:
    return newest_file(server.process.folder / "appendonlydir")


def test_a_full_disk_refuses_writes_and_syncs_of_files_and_not_of_pipes(shim: Shim, tmp_path: Path) -> None:
    source = f"""
import os
file = os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT)
def try_all():
    for act in (lambda: os.write(file, b"x"), lambda: os.pwrite(file, b"x", 0), lambda: os.writev(file, [b"x"]),
                lambda: os.fsync(file), lambda: os.fdatasync(file)):
        try:
            act()
            yield "done"
        except OSError as error:
            yield os.strerror(error.errno)
print(*try_all(), sep=", ")
"""
    page = shim.page("part")
    page.fill_disk(full=True)
    assert run_python(shim, source) == ", ".join(["No space left on device"] * 5)
    page.fill_disk(full=False)
    assert run_python(shim, source) == ", ".join(["done"] * 5)


def test_the_wall_clock_is_moved_and_the_monotonic_one_is_not(shim: Shim) -> None:
    source = "import time, datetime as d; print(time.time(), d.datetime.now().timestamp(), time.monotonic())"
    shim.page("part").set_clock(-5 * HOUR)
    wall, of_datetime, monotonic = map(float, run_python(shim, source).split())
    assert abs(wall + 5 * HOUR - time.time()) < HOUR
    assert abs(of_datetime - wall) < HOUR
    assert abs(monotonic - time.monotonic()) < HOUR


@pytest.mark.parametrize(
    ("words", "role"), [(("manage.py", "gateway", "--port", "1"), "gateway"), (("-A", "chatsite", "worker"), "worker")]
)
def test_where_no_role_is_given_the_command_line_tells_it(shim: Shim, words: tuple[str, ...], role: str) -> None:
    shim.page(role).set_clock(5 * HOUR)
    assert float(run_python(shim, "import time; print(time.time())", None, *words)) > time.time() + HOUR


def test_a_process_of_no_role_sees_the_world_as_it_is(shim: Shim) -> None:
    shim.page("gateway").set_clock(5 * HOUR)
    assert float(run_python(shim, "import time; print(time.time())", None, "up")) < time.time() + HOUR


async def test_connections_are_led_over_another_port(shim: Shim) -> None:
    with running_valkey() as server:
        async with running_proxy(server.port) as proxy:
            shim.redirect("part", {str(server.port): proxy.port})
            source = f"import socket; print(socket.create_connection(('127.0.0.1', {server.port})).getpeername()[1])"
            assert int(run_python(shim, source)) == proxy.port


def test_connections_to_a_unix_socket_are_led_over_another(shim: Shim, tmp_path: Path) -> None:
    shim.redirect("part", {"cache.sock": tmp_path / "line.sock"})
    source = f"""
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind({str(tmp_path / "line.sock")!r})
listener.listen()
socket.socket(socket.AF_UNIX).connect({str(tmp_path / "cache.sock")!r})
print(listener.accept()[1] or "came")
"""
    assert run_python(shim, source).startswith("came")


def test_valkey_sees_the_clock_of_its_page(shim: Shim, log: ValkeyServer) -> None:
    shim.page("valkey").set_clock(-5 * HOUR)
    with log.client() as client:
        seconds, _ = client.time()
        assert seconds < time.time() - HOUR


def test_what_a_log_answered_is_in_the_synced_part_of_its_file(shim: Shim, log: ValkeyServer) -> None:
    with log.client() as client:
        client.set("answered", "1")
        synced = shim.synced_length(append_only_file(log))
    assert synced == append_only_file(log).stat().st_size
    log.kill()
    cut_back(append_only_file(log), synced)
    log.restart()
    with log.client() as client:
        assert client.get("answered") == "1"


def test_a_log_whose_disk_is_full_ends_rather_than_answer(shim: Shim, log: ValkeyServer) -> None:
    shim.page("valkey").fill_disk(full=True)
    with log.client() as client, pytest.raises(redis.RedisError):
        client.set("not", "answered")
    wait_until(lambda: not log.process.is_running, "the end of the server", 60)
    shim.heal()
    log.restart()
    with log.client() as client:
        assert client.get("not") is None


def test_without_a_compiler_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ShimMissing, match="gcc"):
        build(tmp_path / "shim.so")
