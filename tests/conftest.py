"""What every test stands on: a data folder and databases of its own, and two real Valkey servers on demand.

The environment is set while this file is imported, before Django loads the settings.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA_DIR = Path(tempfile.mkdtemp(prefix="chatsite-tests-"))
# Set to nothing means "not set", and keeps a developer's .env out of the tests.
FOREIGN_VARIABLES = (
    "REDIS_URL INBOX_REDIS_URL CHANNEL_LAYER_URL CELERY_BROKER_URL EVENT_LOG_URL DATABASE_URL MESSAGE_STORE_URL "
    "ALLOWED_HOSTS CSRF_TRUSTED_ORIGINS CHAT_HOST CHAT_PORT DEBUG LOG_LEVEL RATE_LIMIT_PER_MINUTE LOG_RETENTION_HOURS "
    "CONNECTIONS_PER_MINUTE_PER_ADDRESS STEADY_MESSAGES_PER_SECOND DELIVERY_TIMEOUT_SECONDS DEVICE_STALE_DAYS "
    "LOG_PARTITIONS LOG_REPLICATION_FACTOR LOG_MIN_INSYNC_REPLICAS DATABASE_REPLICA_URL TRUSTED_PROXIES METRICS_PORT "
    "LOG_FORMAT SECURE_COOKIES CONNECTIONS_PER_MINUTE_PER_USER REGISTRATIONS_PER_MINUTE_PER_ADDRESS "
    "LOGINS_PER_MINUTE_PER_ADDRESS GROUP_PUSH_LIMIT"
)
os.environ.update(dict.fromkeys(FOREIGN_VARIABLES.split(), ""))
os.environ.update(
    DJANGO_SETTINGS_MODULE="chatsite.settings",
    CHAT_DATA_DIR=str(DATA_DIR),
    SECRET_KEY="the-key-of-the-tests-and-of-nothing-else",
)
# The whole suite on another database: TEST_DATABASE_URL=postgresql://… pytest tests/unit/accounts
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")
VALKEY_START_SECONDS = 30
BUSY = [
    f"^{name}: "
    for name in (
        *("TimeoutError", "ReadTimeout", "ConnectTimeout", "ConnectError", "ConnectionRefusedError"),
        *("LogUnavailable", "StoreUnavailable", "NoBrokersAvailable"),
    )
]
"""What tells of a server that was not there in time; the clients' own waits for messages raise AssertionError."""

pytest_plugins = ["tests.servers.fixtures"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set Django up before test files are imported; pytest-django then forbids the database outside of its marks."""
    import django

    django.setup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test on real foreign servers wait once more, where the machine was too busy for it. A wrong result is
    never tried again, and the summary names what passed only then.
    """
    for item in items:
        if item.get_closest_marker("production"):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=BUSY))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the data folder of this run."""
    shutil.rmtree(DATA_DIR, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords quickly: the strength of the hash is Django's business, its slowness would be ours."""
    from django.test import override_settings

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Keep test databases in files: only there SQLite locks, and writes ahead, as it does in the product."""
    from django.conf import settings

    for alias, database in settings.DATABASES.items():
        if database["ENGINE"].endswith("sqlite3"):
            database.setdefault("TEST", {})["NAME"] = str(DATA_DIR / f"test-{alias}.sqlite3")


@pytest.fixture(scope="session")
def valkey_servers() -> Iterator[dict[str, Path]]:
    """Start the two embedded Valkeys of the settings; the sockets by name ("cache", "log")."""
    from apps.operations.embedded_valkey import list_embedded_valkeys

    servers = list_embedded_valkeys()
    processes = []
    for server in servers:
        server.folder.mkdir(parents=True, exist_ok=True)
        processes.append(subprocess.Popen(server.command()))
    deadline = time.monotonic() + VALKEY_START_SECONDS
    while not all(server.answers() for server in servers):
        assert time.monotonic() < deadline, "the embedded Valkeys do not answer"
        time.sleep(0.01)
    yield {server.name: server.socket_path for server in servers}
    for process in processes:
        process.kill()
        process.wait()


def _flush(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(socket_path))
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(16).startswith(b"+OK")


@pytest.fixture
def cache_valkey(valkey_servers: dict[str, Path]) -> str:
    """Return the URL of an empty Valkey in the place of the cache: inbox, registry, limits, broker."""
    from django.conf import settings

    _flush(valkey_servers["cache"])
    return str(settings.REDIS_URL)


@pytest.fixture
def log_valkey(valkey_servers: dict[str, Path]) -> str:
    """Return the URL of an empty Valkey in the place of the event log."""
    from django.conf import settings

    _flush(valkey_servers["log"])
    return str(settings.EVENT_LOG_URL)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run under CI in which a test was skipped that needs a browser or a server: there they have to be."""
    if os.environ.get("CI") != "true":
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.getreports("skipped") if reporter else []
    if any("browser" in report.keywords or "production" in report.keywords for report in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
