"""Single calls of inboxes, registry and admission on a real cluster of three, in every state of a slot.

No site runs on it meanwhile: its sweep would take the inboxes of users whom it does not know.
"""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from apps.connections import registry
from apps.inbox import inbox
from apps.inbox.inbox import Change
from apps.ingest import admission
from apps.ingest.admission import Candidate
from apps.valkey.pools import ValkeyError, close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace, sync_keyspace
from tests.client.processes import wait_until
from tests.servers.valkey import ValkeyCluster
from tests.servers.valkey_slots import move_slot, move_slot_atomically, node_of, slot_of

pytestmark = pytest.mark.production

DEVICE = "dev-aaaaaaaaaaa1"
RECOVERY_SECONDS = 60.0


@pytest.fixture
def keyspace(valkey_cluster: ValkeyCluster, settings: Any) -> SyncKeyspace:
    """The cluster as this process's inboxes, empty."""
    valkey_cluster.flush()
    settings.INBOX_REDIS_URL = valkey_cluster.url
    return sync_keyspace(valkey_cluster.url)


def test_no_script_runs_on_half_of_a_users_keys_while_a_slot_moves(
    keyspace: SyncKeyspace, valkey_cluster: ValkeyCluster
) -> None:
    user = "usr-aaaaaaaaaaaa"
    new_inbox(user)
    apply([user], 1)
    source = node_of(valkey_cluster, user)
    target = next(node for node in valkey_cluster.nodes if node is not source)

    def between() -> None:
        with pytest.raises(ValkeyError):
            apply([user], 2)

    move_slot(valkey_cluster, slot_of(user), source, target, between)
    assert inbox.count_waiting(user, DEVICE) == (1, 0), "the refused put left nothing behind"
    places = apply([user], 2)
    assert places == [("", 0)], "an inbox that came from another node is rebuilt before it takes anything"
    new_inbox(user)
    assert apply([user], 2)[0][1] == 1
    move_slot_atomically(slot_of(user), target, source)
    assert apply([user], 3) == [("", 0)]


def test_one_dead_node_fails_a_batch_soon_and_what_the_others_did_is_not_done_twice(
    keyspace: SyncKeyspace, valkey_cluster: ValkeyCluster
) -> None:
    users = [f"usr-{number:012x}" for number in range(30)]
    for user in users:
        new_inbox(user)
    dead = node_of(valkey_cluster, users[0])
    dead.kill()
    try:
        with pytest.raises(ValkeyError):
            apply(users, 1)
    finally:
        dead.restart()
    lasting = [user for user in users if node_of(valkey_cluster, user) is not dead]
    assert lasting
    places = dict(zip(users, eventually(lambda: apply(users, 1)), strict=True))
    assert {places[user][1] for user in lasting} == {1}, "they had it already, or have it once"
    assert {places[user] for user in users if user not in lasting} == {("", 0)}, "its epochs ended with it"


async def test_a_sender_whose_admission_failed_in_part_sends_again_under_the_id_it_had(
    keyspace: SyncKeyspace, valkey_cluster: ValkeyCluster
) -> None:
    senders = [f"usr-{number:012x}" for number in range(12)]
    keyspace.execute_all([("SET", f"warm:{{{sender}}}", "1") for sender in senders])
    dead = node_of(valkey_cluster, senders[0])
    try:
        first = [candidate(sender, number) for number, sender in enumerate(senders)]
        dead.kill()
        with pytest.raises(ValkeyError):
            await admission.admit(first, [])
        await asyncio.to_thread(dead.restart)
        again = [candidate(sender, 100 + number) for number, sender in enumerate(senders)]
        verdicts = await eventually_async(lambda: admission.admit(again, []))
        for sender, old, verdict in zip(senders, first, verdicts, strict=True):
            if node_of(valkey_cluster, sender) is dead:
                assert verdict.outcome == "new"
            else:
                assert (verdict.outcome, verdict.message_id) == ("pending", old.message_id)
    finally:
        await close_async_clients()


async def test_a_paused_node_is_an_error_and_the_loop_goes_on(
    keyspace: SyncKeyspace, valkey_cluster: ValkeyCluster
) -> None:
    paused = valkey_cluster.nodes[1]
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    counting = asyncio.create_task(count_turns())
    paused.pause()
    try:
        with pytest.raises(ValkeyError):
            await registry.find_servers([f"usr-{number:012x}" for number in range(30)])
        assert turns > 20
    finally:
        paused.resume()
        counting.cancel()
        await eventually_async(lambda: registry.find_servers([f"usr-{number:012x}" for number in range(30)]))
        await close_async_clients()


def test_any_one_node_is_enough_to_find_the_others(valkey_cluster: ValkeyCluster) -> None:
    for url in valkey_cluster.urls:
        keyspace = sync_keyspace(url)
        keyspace.execute_all([("SET", f"k:{number}", "1") for number in range(30)])
        assert len(keyspace.node_urls()) == 3


def new_inbox(user: str) -> None:
    with inbox.rebuild_lock(user) as token:
        assert token is not None
        inbox.write_rebuilt(user, DEVICE, token, [])


def apply(users: list[str], number: int) -> list[tuple[str, int]]:
    """Put one message into each user's inbox: whether there is an epoch, and the counters."""
    changes = [Change(kind="put", user_id=user, device_id=DEVICE, member=f"msg-{number}", frame="") for user in users]
    return [("epoch" if place.epoch else "", place.counter) for place in inbox.apply_changes(changes) if place]


def candidate(sender: str, number: int) -> Candidate:
    return Candidate(
        user_id=sender,
        device_id=DEVICE,
        client_id="i1",
        digest="digest",
        message_id=f"msg-{number:016x}",
        timestamp_ms=1_764_000_000_000,
    )


def eventually(work: Any) -> Any:
    """Repeat what a node that is coming back refuses."""
    answers: list[Any] = []

    def try_once() -> bool:
        with suppress(ValkeyError):
            answers.append(work())
        return bool(answers)

    wait_until(try_once, "a cluster that answers", RECOVERY_SECONDS)
    return answers[0]


async def eventually_async(work: Any) -> Any:
    async with asyncio.timeout(RECOVERY_SECONDS):
        while True:
            try:
                return await work()
            except ValkeyError:
                await asyncio.sleep(0.1)
