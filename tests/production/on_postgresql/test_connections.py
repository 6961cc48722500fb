"""Connections to PostgreSQL: lost ones heal, and a commit always waits for the disk."""

import asyncio
import time

import pytest
from django.db import close_old_connections, connections

from apps.accounts.selectors import list_delivery_facts
from apps.gateway.database import DatabaseThreads
from apps.messagestore.base import StoreUnavailable
from apps.messagestore.orm import OrmMessageStore

pytestmark = [
    pytest.mark.production,
    pytest.mark.django_db(databases=["default", "messages"], transaction=True),
]


def cut_all_but(alias: str) -> None:
    """Let the server end every connection to this database except the one of `alias`."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def show(alias: str, name: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def test_a_lost_connection_is_one_failed_batch_and_the_next_one_works() -> None:
    store = OrmMessageStore()
    store.check()
    cut_all_but("default")
    with pytest.raises(StoreUnavailable):
        store.check()
    store.check()


def test_a_connection_lost_in_the_middle_of_a_batch_leaves_the_next_one_whole() -> None:
    store = OrmMessageStore()

    def lose_it_midway() -> None:
        with store.batch():
            store.check()
            cut_all_but("default")
            store.check()

    with pytest.raises(StoreUnavailable):
        lose_it_midway()
    with store.batch():
        store.check()


def test_the_relays_other_connection_works_after_it_paused_as_it_does_after_any_fault() -> None:
    list_delivery_facts(["usr-aaaaaaaaaaaa"])
    cut_all_but("messages")
    with pytest.raises(Exception, match="terminat"):
        list_delivery_facts(["usr-aaaaaaaaaaaa"])
    close_old_connections()
    assert list_delivery_facts(["usr-aaaaaaaaaaaa"]) == {}


async def test_a_gateways_threads_notice_a_lost_connection_before_they_use_it() -> None:
    threads = DatabaseThreads()
    try:
        await asyncio.gather(*(threads.run(lambda: (time.sleep(0.05), list_delivery_facts(["x"]))) for _ in range(8)))
        await asyncio.to_thread(_cut_everything)
        for _ in range(8):
            assert await threads.run(lambda: list_delivery_facts(["usr-aaaaaaaaaaaa"])) == {}
    finally:
        await asyncio.gather(*(threads.run(_close_soon) for _ in range(8)))
        threads.close()


def _close_soon() -> None:
    time.sleep(0.05)
    connections.close_all()


def _cut_everything() -> None:
    try:
        cut_all_but("messages")
    finally:
        connections.close_all()


def test_the_message_db_waits_for_the_disk_whatever_the_server_has_as_its_default() -> None:
    name = connections["default"].settings_dict["NAME"]
    with connections["default"].cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    try:
        connections.close_all()
        assert show("default", "synchronous_commit") == "off"
        assert show("messages", "synchronous_commit") == "on"
        with connections["default"].cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = remote_apply')
        connections["messages"].close()
        assert show("messages", "synchronous_commit") == "remote_apply"
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
        connections.close_all()


def test_the_message_db_prepares_its_statements_on_the_server() -> None:
    store = OrmMessageStore()
    for _ in range(10):
        store.list_standings(["msg-0000000000000001"])
    with connections["messages"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ["%FROM message%"])
        assert cursor.fetchone()[0] >= 1


def test_prefix_search_can_use_an_index_whatever_the_collation() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT id FROM accounts_user WHERE lower(username)::text LIKE 'ada%'")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "accounts_username_prefix" in plan
