"""The site on a real PostgreSQL: the suites of its parts, restarts under way, and the migrations of each profile."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.client.chat_client import ChatClient
from tests.client.people import AccountPool, Person
from tests.client.server import PROJECT, Server, running_server
from tests.client.site import build_environment, run_manage
from tests.faults.checker import check
from tests.servers.postgresql import PostgresqlServer, running_postgresql

pytestmark = [pytest.mark.production, pytest.mark.timeout(300)]

SUITES = [
    "tests/contracts/test_message_store.py",
    "tests/contracts/test_group_messages.py",
    "tests/production/on_postgresql",
    *(f"tests/unit/{name}" for name in ("accounts", "api", "delivery", "inbox", "ingest", "webclient")),
    "tests/unit/relay/test_pipeline.py",
    "tests/unit/operations/test_trace.py",
]
KEY = "the-key-of-a-test-and-of-nothing-else"
WAIT_SECONDS = 60
OF_MESSAGES = {"message", "read_pointer", "group_pointer", "group_progress"}


@pytest.mark.timeout(900)
def test_what_holds_on_sqlite_holds_on_postgresql(postgresql: PostgresqlServer) -> None:
    environment = os.environ | {"TEST_DATABASE_URL": postgresql.create_database()}
    # With this, pytest-django would load the settings before tests/conftest.py names their database.
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not mongo", *SUITES],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def list_tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found}


def manage(data_dir: Path, *arguments: str, **variables: str) -> None:
    run_manage(build_environment(data_dir, 1, {"SECRET_KEY": KEY} | variables), *arguments)


@pytest.mark.parametrize("order", [("default", "messages"), ("messages", "default")])
def test_one_database_gets_all_tables_whichever_alias_is_migrated_first(
    postgresql: PostgresqlServer, tmp_path: Path, order: tuple[str, str]
) -> None:
    url = postgresql.create_database()
    for alias in order:
        manage(tmp_path, "migrate", "--database", alias, DATABASE_URL=url)
    expected = OF_MESSAGES | {"accounts_user", "worker_lease", "log_generation"}
    assert expected <= list_tables(url)


def test_beside_mongodb_the_users_database_has_no_tables_of_messages(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    url = postgresql.create_database()
    mongo = "mongodb://127.0.0.1:1/chatsite"
    manage(tmp_path, "migrate", DATABASE_URL=url, MESSAGE_STORE_URL=mongo)
    assert "accounts_user" in list_tables(url)
    assert not OF_MESSAGES & list_tables(url)
    # Back to the ORM's store: nothing was noted as made that is not there.
    manage(tmp_path, "migrate", DATABASE_URL=url)
    assert list_tables(url) >= OF_MESSAGES


def test_every_migration_can_be_taken_back(postgresql: PostgresqlServer, tmp_path: Path) -> None:
    url = postgresql.create_database()
    manage(tmp_path, "migrate", DATABASE_URL=url)
    for app in ("accounts", "ingest", "messagelog", "messagestore", "admin"):
        manage(tmp_path, "migrate", app, "zero", DATABASE_URL=url)
    assert not {"accounts_user", *OF_MESSAGES} & list_tables(url)


@pytest.fixture(scope="module")
def breakable_postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that a test may kill, if it brings it back."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def site(breakable_postgresql: PostgresqlServer) -> Iterator[Server]:
    """A site whose only part outside is PostgreSQL."""
    with running_server(DATABASE_URL=breakable_postgresql.create_database(), SECRET_KEY=KEY) as server:
        yield server


async def test_while_postgresql_is_dead_ticks_go_on_and_all_arrives_when_it_is_back(
    site: Server, breakable_postgresql: PostgresqlServer
) -> None:
    accounts = AccountPool(site)
    ann, bob, carol = accounts.take(3)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:
        a.send(bob.user_id, "before")
        await a.wait_delivered(within=WAIT_SECONDS)
        breakable_postgresql.kill()
        during = [a.send(bob.user_id, f"during {number}") for number in range(20)]
        await a.wait_for(lambda: all(message.is_acknowledged for message in during), "every ✓", WAIT_SECONDS)
        assert set(find_missing_parts(site)) >= {"database", "message_store"}
        breakable_postgresql.restart()
        await a.wait_delivered(within=WAIT_SECONDS)
        a.send(bob.user_id, "after")
        b.send(ann.user_id, "so it is")
        await a.wait_delivered(within=WAIT_SECONDS)
        await b.wait_delivered(within=WAIT_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
    # Log-ins and new connections use other connections to the database than the relay does.
    site.wait_ready()
    Person.register(site)
    async with ChatClient(site.url, carol):
        pass


def find_missing_parts(site: Server) -> list[str]:
    parts = httpx.get(f"{site.base_url}/readyz", timeout=30).json()["parts"]
    return [name for name, part in parts.items() if not part["ok"]]
