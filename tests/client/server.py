"""A whole chat server for a test: every process of the embedded profile under `manage.py up`, in its own folder."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import redis

from tests.client.options import Account
from tests.client.processes import Processes, send_signal, wait_until

# Set to nothing means "not set", and keeps a developer's .env out of the server.
SHIELDED_VARIABLES = (
    "ALLOWED_HOSTS CELERY_BROKER_URL CHANNEL_LAYER_URL CHAT_HOST CSRF_TRUSTED_ORIGINS DATABASE_URL DEBUG "
    "DELIVERY_TIMEOUT_SECONDS DEVICE_STALE_DAYS EVENT_LOG_URL INBOX_REDIS_URL LOG_LEVEL LOG_RETENTION_HOURS "
    "MESSAGE_STORE_URL REDIS_URL SECRET_KEY STEADY_MESSAGES_PER_SECOND DATABASE_REPLICA_URL LOG_FORMAT LOG_PARTITIONS "
    "LOG_REPLICATION_FACTOR LOG_MIN_INSYNC_REPLICAS METRICS_PORT TRUSTED_PROXIES"
)
PROJECT = Path(__file__).resolve().parents[2]
START_TIMEOUT = 60.0
STOP_TIMEOUT = 40.0


class Server:
    """A started server: its addresses, its data folder and its processes."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, environment: dict[str, str], data_dir: Path
    ) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self.url = f"ws://127.0.0.1:{port}/ws/chat/"
        self.port = port
        self.data_dir = data_dir
        self.environment = environment
        self.processes = Processes(process.pid)
        self._process = process

    @property
    def supervisor_pid(self) -> int:
        """The process id of `manage.py up`."""
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything the server has printed so far."""
        return (self.data_dir / "up.log").read_text(errors="replace")

    def manage(self, *arguments: str) -> str:
        """Run a management command beside the server and give what it printed.

        Raises RuntimeError with its error output when it fails.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            raise RuntimeError(f"manage.py {' '.join(arguments)} exited with {done.returncode}: {done.stderr}")
        return done.stdout

    def add_users(self, count: int) -> list[Account]:
        """Create `count` users with one token device each."""
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            self.manage("addusers", "--count", str(count), "--out", file.name)
            lines = Path(file.name).read_bytes().splitlines()
        rows = [orjson.loads(line) for line in lines]
        names = ("user_id", "device_id", "token", "username")
        return [Account(**{name: row[name] for name in names}) for row in rows]

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

    def waiting_entries(self) -> dict[str, int]:
        """The inboxes that are not empty: key and number of entries."""
        with self.valkey("cache") as client:
            keys = [key for key in client.scan_iter("inbox:*", count=1000) if client.type(key) == "zset"]
            return {key: client.zcard(key) for key in keys}

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
def running_server(*, arguments: tuple[str, ...] = (), **variables: str | int) -> Iterator[Server]:
    """Start a server on a free port in a temporary data folder, and stop it in the end.

    `variables` are environment variables of the server. The folder is kept, and named, when the block fails.
    """
    data_dir = Path(tempfile.mkdtemp(prefix="chat-", dir="/tmp"))  # short: unix sockets lie in it
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


def build_environment(data_dir: Path, port: int, variables: dict[str, str | int]) -> dict[str, str]:
    """The environment of the server's processes: nothing of this one's settings, limits off unless given."""
    shielded: dict[str, str | int] = dict.fromkeys(SHIELDED_VARIABLES.split(), "")
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    limits: dict[str, str | int] = {"RATE_LIMIT_PER_MINUTE": 0, "CONNECTIONS_PER_MINUTE_PER_ADDRESS": 0}
    chosen = {name: str(value) for name, value in (shielded | limits | variables).items()}
    return inherited | {"CHAT_DATA_DIR": str(data_dir), "CHAT_PORT": str(port), "PYTHONUNBUFFERED": "1"} | chosen


def find_free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
