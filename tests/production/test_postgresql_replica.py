"""A site with a real streaming replica: what is read there, what is not, and what happens when it is gone."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.client.people import Person
from tests.client.processes import wait_until
from tests.client.server import Server, running_server
from tests.servers.postgresql import PostgresqlServer
from tests.servers.postgresql_replica import PostgresqlReplica, running_replica

pytestmark = [pytest.mark.production, pytest.mark.timeout(300)]

KEY = "the-key-of-a-test-and-of-nothing-else"
NOWHERE = "postgresql://chatsite@127.0.0.1:1/chatsite"
OF_PROFILES = "accounts_user"
WAIT_SECONDS = 60


class Scans:
    """How often the tables of a database were looked into; the counts lag behind a little."""

    def __init__(self, url: str) -> None:
        self._url = url

    def count(self, table: str) -> int:
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = %s", [table]
            ).fetchone()
        return int(row[0]) if row else 0


@pytest.fixture(scope="module")
def replica(postgresql: PostgresqlServer) -> Iterator[PostgresqlReplica]:
    with running_replica(postgresql) as server:
        yield server


@pytest.fixture(scope="module")
def database_url(postgresql: PostgresqlServer) -> str:
    return postgresql.create_database()


@pytest.fixture(scope="module")
def site(database_url: str, replica: PostgresqlReplica) -> Iterator[Server]:
    urls = {"DATABASE_URL": database_url, "DATABASE_REPLICA_URL": replica.url_of(database_url)}
    with running_server(SECRET_KEY=KEY, **urls) as server:
        yield server


def get(site: Server, person: Person, path: str) -> httpx.Response:
    headers = {"Authorization": f"Token {person.account.token}"}
    return httpx.get(f"{site.base_url}/api/{path}", headers=headers, timeout=20)


def search(site: Server, person: Person, name: str) -> list[str]:
    return [found["user_id"] for found in get(site, person, f"users?search={name}").json()["results"]]


def test_profiles_and_search_are_read_from_the_replica_and_nothing_else_is(
    site: Server, replica: PostgresqlReplica, database_url: str
) -> None:
    ann, bob = Person.register(site), Person.register(site)
    replica.wait_until_caught_up()
    scans = Scans(replica.url_of(database_url))
    before = {table: scans.count(table) for table in ("accounts_user", "accounts_device", "accounts_contact")}
    assert search(site, ann, bob.username) == [bob.user_id]
    assert get(site, ann, f"user/{bob.user_id}").json()["username"] == bob.username
    wait_until(lambda: scans.count(OF_PROFILES) >= before[OF_PROFILES] + 2, "two reads there", WAIT_SECONDS)
    seen = scans.count(OF_PROFILES)
    for path in ("user/me", "user/settings", "contacts", "blocks", "devices"):
        assert get(site, ann, path).status_code == 200
    # One more read there, and once its count has come, so have all before it.
    assert search(site, ann, bob.username) == [bob.user_id]
    wait_until(lambda: scans.count(OF_PROFILES) > seen, "the last read", WAIT_SECONDS)
    assert scans.count(OF_PROFILES) == seen + 1
    for table in ("accounts_device", "accounts_contact"):
        assert scans.count(table) == before[table]


def test_somebody_whom_the_replica_does_not_have_yet_has_a_profile(
    site: Server, replica: PostgresqlReplica, database_url: str
) -> None:
    ann = Person.register(site)
    replica.wait_until_caught_up()
    with psycopg.connect(replica.url, autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        try:
            late = Person.register(site)
            assert search(site, ann, late.username) == []
            assert get(site, ann, f"user/{late.user_id}").json()["username"] == late.username
        finally:
            connection.execute("SELECT pg_wal_replay_resume()")
    replica.wait_until_caught_up()
    assert search(site, ann, late.username) == [late.user_id]


def test_without_its_replica_the_site_is_ready_and_reads_from_the_primary(
    site: Server, replica: PostgresqlReplica
) -> None:
    ann, bob = Person.register(site), Person.register(site)
    replica.wait_until_caught_up()
    replica.kill()
    try:
        assert search(site, ann, bob.username) == [bob.user_id]
        assert get(site, ann, f"user/{bob.user_id}").status_code == 200
        site.wait_ready()
        assert "the read replica does not answer" in site.output
    finally:
        replica.restart()
    replica.wait_until_caught_up()
    late = Person.register(site)
    wait_until(lambda: search(site, ann, late.username) == [late.user_id], "the replica again", WAIT_SECONDS)


def test_a_site_starts_without_its_replica(database_url: str) -> None:
    with running_server(SECRET_KEY=KEY, DATABASE_URL=database_url, DATABASE_REPLICA_URL=NOWHERE) as lonely:
        ann, bob = Person.register(lonely), Person.register(lonely)
        assert search(lonely, ann, bob.username) == [bob.user_id]
