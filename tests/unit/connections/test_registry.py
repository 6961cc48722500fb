"""The registry on a real Valkey: the newest connection stands, and heartbeats find out what was missed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from django.conf import settings

from apps.connections import registry
from apps.connections.registry import Renewal
from apps.inbox import inbox
from apps.inbox.inbox import Change
from apps.valkey.async_keyspace import async_keyspace
from apps.valkey.pools import close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace

USER, DEVICE = "usr-aaaaaaaaaaaa", "dev-aaaaaaaaaaa1"
T = TypeVar("T")

pytestmark = pytest.mark.usefixtures("inbox_valkey")


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def whole() -> T:
        try:
            return await work()
        finally:
            await close_async_clients()

    return asyncio.run(whole())


def register(server_id: str) -> registry.Registration:
    return run(lambda: registry.register_connection(USER, DEVICE, server_id))


def renew(connection_id: int, *, epoch: str = "", written_up_to: int = 0) -> registry.Standing:
    renewal = Renewal(
        user_id=USER,
        device_id=DEVICE,
        connection_id=connection_id,
        connected_at_ms=1,
        epoch=epoch,
        written_up_to=written_up_to,
    )
    (standing,) = run(lambda: registry.renew_connections("gw-1", [renewal]))
    return standing


def forget_all(keyspace: SyncKeyspace) -> None:
    for key in keyspace.scan("*"):
        keyspace.execute("DEL", key)


def new_epoch() -> str:
    with inbox.rebuild_lock(USER) as token:
        assert token is not None
        return inbox.write_rebuilt(USER, DEVICE, token, [])


def test_a_newer_connection_has_a_higher_id_and_names_the_older() -> None:
    first, second = register("gw-1"), register("gw-2")
    assert second.connection_id > first.connection_id
    assert (second.previous_server_id, second.previous_connection_id) == ("gw-1", first.connection_id)
    assert (first.previous_server_id, first.previous_connection_id) == ("", 0)


def test_ids_grow_even_when_the_servers_clock_has_stepped_back(inbox_valkey: SyncKeyspace) -> None:
    future = 9_000_000_000_000_000
    inbox_valkey.execute("HSET", f"connections:{{{USER}}}", DEVICE, f"gw-9 {future} 1")
    assert register("gw-1").connection_id == future + 1


def test_a_replaced_connection_learns_it_at_its_heartbeat_and_does_not_come_back() -> None:
    first, second = register("gw-1"), register("gw-2")
    assert renew(first.connection_id).replaced
    (connection,) = registry.list_connections([USER])
    assert (connection.server_id, connection.connection_id) == ("gw-2", second.connection_id)


def test_a_lost_registry_entry_is_written_again_by_the_heartbeat(inbox_valkey: SyncKeyspace) -> None:
    first = register("gw-1")
    forget_all(inbox_valkey)
    assert not renew(first.connection_id).replaced
    assert [one.connection_id for one in registry.list_connections()] == [first.connection_id]


def test_entries_expire_one_by_one(inbox_valkey: SyncKeyspace) -> None:
    register("gw-1")
    (ttl,) = inbox_valkey.execute("HTTL", f"connections:{{{USER}}}", "FIELDS", 1, DEVICE)
    assert 55 <= ttl <= 60


def test_a_disconnect_deletes_only_its_own_entry(inbox_valkey: SyncKeyspace) -> None:
    first = register("gw-1")
    second = register("gw-1")
    run(lambda: registry.remove_connections([(USER, DEVICE, first.connection_id)]))
    assert len(registry.list_connections([USER])) == 1
    run(lambda: registry.remove_connections([(USER, DEVICE, second.connection_id)]))
    assert registry.list_connections([USER]) == []
    assert not inbox_valkey.execute("EXISTS", f"presence:{{{USER}}}")


def test_a_registration_says_where_the_inbox_stands() -> None:
    assert register("gw-1").epoch == ""
    epoch = new_epoch()
    empty = register("gw-1")
    assert (empty.epoch, empty.counter, empty.waits) == (epoch, 0, False)
    inbox.apply_changes([Change(kind="put", user_id=USER, device_id=DEVICE, member="msg-1")])
    waiting = register("gw-1")
    assert (waiting.counter, waiting.waits) == (1, True)


def test_receipts_leave_at_the_second_heartbeat_after_they_were_written_and_messages_stay() -> None:
    first = register("gw-1")
    epoch = new_epoch()
    inbox.apply_changes(
        [
            Change(kind="receipt", user_id=USER, device_id=DEVICE, member="d:1", frame="a"),
            Change(kind="put", user_id=USER, device_id=DEVICE, member="msg-1"),
            Change(kind="receipt", user_id=USER, device_id=DEVICE, member="d:2", frame="b"),
        ]
    )
    assert renew(first.connection_id, epoch=epoch, written_up_to=0).counter == 3
    assert inbox.count_waiting(USER, DEVICE) == (1, 2)
    renew(first.connection_id, epoch=epoch, written_up_to=2)
    assert inbox.count_waiting(USER, DEVICE) == (1, 1)
    renew(first.connection_id, epoch="another", written_up_to=99)
    assert inbox.count_waiting(USER, DEVICE) == (1, 1), "a position in another epoch says nothing"
    assert inbox.read_acknowledged_ms(USER, DEVICE) > 0


def test_a_gateway_learns_that_the_registry_was_lost(inbox_valkey: SyncKeyspace) -> None:
    assert not run(lambda: registry.note_gateway("gw-1", 3))
    assert run(lambda: registry.note_gateway("gw-1", 3))
    forget_all(inbox_valkey)
    assert not run(lambda: registry.note_gateway("gw-1", 3))


def test_each_gateway_tells_how_many_connections_it_has(inbox_valkey: SyncKeyspace) -> None:
    run(lambda: registry.note_gateway("gw-1", 3))
    run(lambda: registry.note_gateway("gw-2", 0))
    run(lambda: registry.note_gateway("gw-1", 4))
    assert registry.count_connections_by_gateway() == {"gw-1": 4, "gw-2": 0}


def test_connects_are_counted_by_source() -> None:
    assert [run(lambda: registry.count_connects(["address 1"])) for _ in range(3)] == [[1], [2], [3]]
    assert run(lambda: registry.count_connects(["address 2", "address 1", "credential x"])) == [1, 4, 1]


def test_a_gateway_learns_that_a_part_of_the_registry_was_lost(inbox_valkey: SyncKeyspace) -> None:
    run(lambda: registry.note_gateway("gw-1", 3))
    signs = list(inbox_valkey.scan("gateway:*"))
    for sign in signs:
        inbox_valkey.execute("DEL", sign)
        assert not run(lambda: registry.note_gateway("gw-1", 3)), sign
        assert run(lambda: registry.note_gateway("gw-1", 3))
    assert len(signs) == len(run(lambda: async_keyspace(settings.INBOX_REDIS_URL).spread("any")))


def test_many_connections_are_renewed_found_and_removed_together() -> None:
    users = [f"usr-{number:012x}" for number in range(30)]
    renewals = [
        Renewal(user_id=user, device_id=DEVICE, connection_id=7, connected_at_ms=1, epoch="", written_up_to=0)
        for user in users
    ]
    assert not any(one.replaced for one in run(lambda: registry.renew_connections("gw-1", renewals)))
    assert {one.user_id for one in registry.list_connections()} == set(users)
    assert run(lambda: registry.find_servers([*users, "usr-nobody"])) == [{"gw-1": [DEVICE]}] * 30 + [{}]
    run(lambda: registry.remove_connections([(user, DEVICE, 7) for user in users[1:]]))
    assert [one.user_id for one in registry.list_connections()] == users[:1]
