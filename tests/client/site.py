"""A running chat site as a test sees it, however it is made up: its addresses, and what an operator may ask of it."""

import os
import ssl
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import orjson
import redis

from tests.client.options import Account

# Set to nothing means "not set", and keeps a developer's .env out of the site.
SHIELDED_VARIABLES = (
    "ALLOWED_HOSTS CELERY_BROKER_URL CHANNEL_LAYER_URL CHAT_HOST CSRF_TRUSTED_ORIGINS DATABASE_REPLICA_URL "
    "DATABASE_URL DEBUG DELIVERY_TIMEOUT_SECONDS DEVICE_STALE_DAYS EVENT_LOG_URL INBOX_REDIS_URL LOG_FORMAT LOG_LEVEL "
    "LOG_MIN_INSYNC_REPLICAS LOG_PARTITIONS LOG_REPLICATION_FACTOR LOG_RETENTION_HOURS MESSAGE_STORE_URL METRICS_PORT "
    "GROUP_PUSH_LIMIT REDIS_URL SECRET_KEY SECURE_COOKIES STEADY_MESSAGES_PER_SECOND TRUSTED_PROXIES"
)
LIMITS = (
    "RATE_LIMIT_PER_MINUTE CONNECTIONS_PER_MINUTE_PER_ADDRESS CONNECTIONS_PER_MINUTE_PER_USER "
    "REGISTRATIONS_PER_MINUTE_PER_ADDRESS LOGINS_PER_MINUTE_PER_ADDRESS"
)
PROJECT = Path(__file__).resolve().parents[2]


class Site(ABC):
    """The addresses of a site and the environment of its processes; `tls` is how clients know its certificate."""

    def __init__(self, base_url: str, environment: Mapping[str, str], tls: ssl.SSLContext | None = None) -> None:
        self.base_url = base_url
        self.url = f"ws{base_url.removeprefix('http')}/ws/chat/"
        self.environment = environment
        self.tls = tls

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """How httpx is to check the certificate."""
        return self.tls or True

    @abstractmethod
    def cache(self) -> AbstractContextManager[redis.Redis]:
        """A connection to the server of inboxes and registry, which answers in text."""

    def waiting_entries(self) -> dict[str, int]:
        """The inboxes that are not empty: key and number of entries."""
        with self.cache() as client:
            keys = [key for key in client.scan_iter("inbox:*", count=1000) if client.type(key) == "zset"]
            return {key: client.zcard(key) for key in keys}

    def manage(self, *arguments: str) -> str:
        """Run a management command beside the site and give what it printed.

        Raises RuntimeError with its error output when it fails.
        """
        return run_manage(self.environment, *arguments)

    def add_users(self, count: int) -> list[Account]:
        """Create `count` users with one token device each."""
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            self.manage("addusers", "--count", str(count), "--out", file.name)
            lines = Path(file.name).read_bytes().splitlines()
        rows = [orjson.loads(line) for line in lines]
        names = ("user_id", "device_id", "token", "username")
        return [Account(**{name: row[name] for name in names}) for row in rows]


def run_manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a management command and give what it printed. Raises RuntimeError with its error output when it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        raise RuntimeError(f"manage.py {' '.join(arguments)} exited with {done.returncode}: {done.stderr}")
    return done.stdout


def build_environment(data_dir: Path, port: int, variables: Mapping[str, str | int]) -> dict[str, str]:
    """The environment of the site's processes: nothing of this one's settings, limits off unless given."""
    shielded: dict[str, str | int] = dict.fromkeys(SHIELDED_VARIABLES.split(), "")
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    limits: dict[str, str | int] = dict.fromkeys(LIMITS.split(), 0)
    chosen = {name: str(value) for name, value in (shielded | limits | dict(variables)).items()}
    return inherited | {"CHAT_DATA_DIR": str(data_dir), "CHAT_PORT": str(port), "PYTHONUNBUFFERED": "1"} | chosen
