"""A whole chat server for a test: every process of the embedded profile under `manage.py up`, in its own folder."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import redis

from tests.client.processes import Processes, send_signal, wait_until
from tests.client.site import PROJECT, Site, build_environment

START_TIMEOUT = 60.0
STOP_TIMEOUT = 40.0


class Server(Site):
    """A started server: a site with its data folder and its processes."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, environment: dict[str, str], data_dir: Path
    ) -> None:
        super().__init__(f"http://127.0.0.1:{port}", environment)
        self.port = port
        self.data_dir = data_dir
        self.processes = Processes(process.pid)
        self._process = process

    def lead_through(self, port: int) -> None:
        """Send clients to another port of this machine, from which a proxy leads to the server."""
        self.base_url = f"http://127.0.0.1:{port}"
        self.url = f"ws://127.0.0.1:{port}/ws/chat/"

    @property
    def supervisor_pid(self) -> int:
        """The process id of `manage.py up`."""
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything the server has printed so far."""
        return (self.data_dir / "up.log").read_text(errors="replace")

    def is_ready(self) -> bool:
        """Whether `/readyz` answers 200."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.base_url}/readyz", timeout=3).status_code == 200
        return False

    def wait_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Wait until `/readyz` answers 200; raises TimeoutError, or RuntimeError when the server has ended."""

        def probe() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"manage.py up exited with {self._process.returncode}:\n{self.output[-4000:]}")
            return self.is_ready()

        try:
            wait_until(probe, "/readyz with 200", timeout, every=0.1)
        except TimeoutError as error:
            error.add_note(self.output[-4000:])
            raise

    @contextlib.contextmanager
    def valkey(self, name: str) -> Iterator[redis.Redis]:
        """A client of an embedded Valkey, "cache" or "log", for tests that look into it or empty it."""
        path = self.data_dir / "run" / f"{name}.sock"
        with redis.Redis(unix_socket_path=str(path), decode_responses=True) as client:
            yield client

    def count_log_entries(self) -> int:
        """How many records were ever appended to the log."""
        with self.valkey("log") as client:
            streams = [key for key in client.scan_iter(count=1000) if client.type(key) == "stream"]
            return sum(client.xinfo_stream(key)["entries-added"] for key in streams)

    def cache(self) -> contextlib.AbstractContextManager[redis.Redis]:
        """A client of the Valkey of inboxes and registry, the embedded one unless it was given another."""
        url = self.environment["REDIS_URL"]
        return redis.Redis.from_url(url, decode_responses=True) if url else self.valkey("cache")

    def stop(self) -> int:
        """End the server as Ctrl-C does and give its exit code; kills what is left after 40 s."""
        if self._process.poll() is not None:
            return self._process.returncode
        pids = self.processes.all_pids()
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(STOP_TIMEOUT)
        finally:
            send_signal(pids, signal.SIGKILL)


@contextlib.contextmanager
def running_server(
    *,
    arguments: tuple[str, ...] = (),
    backup: Path | None = None,
    data_dir: Path | None = None,
    **variables: str | int,
) -> Iterator[Server]:
    """Start a server on a free port in a temporary data folder, and stop it in the end.

    `variables` are environment variables of the server; `backup` is a folder whose content it starts with; `data_dir`
    is an empty folder for it, for who has to know it before. The folder is kept, and named, when the block fails.
    """
    if data_dir is None:
        data_dir = Path(tempfile.mkdtemp(prefix="chat-", dir="/tmp"))  # short: unix sockets lie in it
    if backup is not None:
        shutil.copytree(backup, data_dir, dirs_exist_ok=True)
    port = find_free_port()
    environment = build_environment(data_dir, port, variables)
    with (data_dir / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), *arguments],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, environment, data_dir)
    try:
        server.wait_ready()
        yield server
    except BaseException as error:
        error.add_note(f"the server's data folder and output: {data_dir}")
        raise
    finally:
        server.stop()
    shutil.rmtree(data_dir)


def find_free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
