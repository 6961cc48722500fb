"""A line is cut, stalled and slowed down for real, and heals."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.line import Line, LineThread
from tests.client.proxy import Way
from tests.faults.nemesis.base import Lengths
from tests.faults.nemesis.lines import list_line_faults

PATIENCE = 60.0


class Echo:
    """A server that sends back what comes, each connection in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(100):
                    connection.sendall(data)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def thread() -> Iterator[LineThread]:
    running = LineThread()
    yield running
    running.close()


@pytest.fixture
def line(echo: Echo, thread: LineThread) -> Iterator[Line]:
    laid = Line(thread, echo.port)
    yield laid
    laid.close()


def connect(line: Line) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), timeout=PATIENCE)


def ask(connection: socket.socket, timeout: float = PATIENCE) -> bytes:
    connection.settimeout(timeout)
    connection.sendall(b"x")
    return connection.recv(1)


def test_a_cut_line_resets_and_refuses_until_it_is_restored(line: Line) -> None:
    with connect(line) as connection:
        assert ask(connection) == b"x"
        line.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(line)
    line.restore()
    line.restore()
    with connect(line) as connection:
        assert ask(connection) == b"x"


@pytest.mark.parametrize("ways", [(Way.TO_SERVER,), (Way.TO_CLIENT,), tuple(Way)])
def test_what_waited_on_a_stalled_line_passes_when_it_heals(line: Line, ways: tuple[Way, ...]) -> None:
    with connect(line) as connection:
        assert ask(connection) == b"x"
        line.stall(ways)
        with pytest.raises(TimeoutError):
            ask(connection, 0.3)
        line.heal()
        connection.settimeout(PATIENCE)
        assert connection.recv(1) == b"x"


def test_the_end_of_a_connection_does_not_pass_a_stalled_line(line: Line, echo: Echo) -> None:
    with connect(line) as connection:
        assert ask(connection) == b"x"
        line.stall((Way.TO_SERVER,))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        line.heal()
        connection.settimeout(PATIENCE)
        assert connection.recv(1) == b""


def test_a_half_open_connection_dies_where_the_line_is_reset(line: Line) -> None:
    with connect(line) as connection:
        assert ask(connection) == b"x"
        line.stall()
        line.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with connect(line) as connection:
        assert ask(connection) == b"x"


def test_chunks_wait_on_a_slow_line(line: Line) -> None:
    line.slow_down(0.1, 0.05)
    with connect(line) as connection:
        began_at = time.monotonic()
        assert ask(connection) == b"x"
        assert time.monotonic() - began_at >= 0.2


def test_a_line_runs_between_unix_sockets_too(echo: Echo, thread: LineThread, tmp_path: Path) -> None:
    inner = Line(thread, echo.port, tmp_path / "far.sock")
    outer = Line(thread, tmp_path / "far.sock", tmp_path / "near.sock")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / "near.sock"))
        assert ask(connection) == b"x"
        outer.cut()
        assert connection.recv(1) == b""
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(ConnectionRefusedError):
        connection.connect(str(tmp_path / "near.sock"))
    outer.restore()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / "near.sock"))
        assert ask(connection) == b"x"
    outer.close()
    inner.close()


async def test_every_fault_of_a_line_heals(line: Line) -> None:
    faults = list_line_faults("a-b", [[line]], Lengths(shortest=0.05, longest=0.1))
    assert [fault.kind for fault in faults] == ["cut", "delay", "half-open", "one-way"]
    for fault in faults:
        for seed in range(3):
            await fault.inflict(random.Random(seed))
            with connect(line) as connection:
                assert await asyncio.to_thread(ask, connection) == b"x"
