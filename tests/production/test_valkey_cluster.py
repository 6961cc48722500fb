"""Inboxes, registry and admission on a real cluster of three: people chat, nodes die, slots move."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from apps.connections import registry
from apps.inbox import inbox
from apps.inbox.inbox import Change
from apps.ingest import admission
from apps.ingest.admission import Candidate
from apps.valkey.pools import ValkeyError, close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace, sync_keyspace
from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.processes import wait_until
from tests.client.server import Server, running_server
from tests.faults.checker import check
from tests.servers.valkey import ValkeyCluster, ValkeyServer, running_valkey_cluster

pytestmark = pytest.mark.production

DEVICE = "dev-aaaaaaaaaaa1"
RECOVERY_SECONDS = 60.0


@pytest.fixture(scope="module")
def site(valkey_cluster: ValkeyCluster) -> Iterator[Server]:
    """A whole site whose users are spread over the cluster; all else is embedded."""
    valkey_cluster.flush()
    with running_server(arguments=("--workers", "2"), INBOX_REDIS_URL=valkey_cluster.url) as server:
        yield server


@pytest.fixture(scope="module")
def accounts(site: Server) -> AccountPool:
    return AccountPool(site)


@pytest.fixture
def keyspace(valkey_cluster: ValkeyCluster, settings: Any) -> SyncKeyspace:
    """The cluster as this process's inboxes, empty."""
    valkey_cluster.flush()
    settings.INBOX_REDIS_URL = valkey_cluster.url
    return sync_keyspace(valkey_cluster.url)


# -- the whole site ------------------------------------------------------------------------------------------------


def take_one_on_each_node(accounts: AccountPool, cluster: ValkeyCluster) -> list[Account]:
    """Fresh accounts, one whose keys are on each node."""
    found: dict[int, Account] = {}
    while len(found) < len(cluster.nodes):
        [account] = accounts.take(1)
        found.setdefault(node_of(cluster, account.user_id).port, account)
    return list(found.values())


def cluster_entries(cluster: ValkeyCluster) -> dict[str, int]:
    """The inboxes that are not empty, on all nodes."""
    found: dict[str, int] = {}
    for node in cluster.nodes:
        with node.client() as client:
            found |= {key: client.zcard(key) for key in client.scan_iter("inbox:*", count=1000)}
    return found


async def test_people_on_different_nodes_chat_and_nothing_stays_behind(
    site: Server, accounts: AccountPool, valkey_cluster: ValkeyCluster
) -> None:
    people = take_one_on_each_node(accounts, valkey_cluster) + take_one_on_each_node(accounts, valkey_cluster)
    clients = [ChatClient(site.url, one) for one in people]
    async with AsyncExitStack() as stack:
        for client in clients:
            await stack.enter_async_context(client)
        for number in range(20):
            for sender, receiver in zip(clients, people[1:] + people[:1], strict=True):
                sender.send(receiver.user_id, f"{receiver.user_id} {number}")
        for client in clients:
            await client.wait_delivered(within=RECOVERY_SECONDS)
        report = check([client.history for client in clients])
        assert report.is_clean, report.text()
    await asyncio.to_thread(wait_until, lambda: not cluster_entries(valkey_cluster), "empty inboxes", 60)
    assert not site.waiting_entries(), "nothing of users is on the server of all else"


async def test_a_receiver_who_was_offline_gets_everything_in_order_and_once(
    site: Server, accounts: AccountPool, valkey_cluster: ValkeyCluster
) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:
        await b.stop(cut=True)
        for number in range(300):
            a.send(bob.user_id, f"{number}")
        inbox_key = f"inbox:{{{bob.user_id}}}:{bob.device_id}"
        await asyncio.to_thread(
            wait_until, lambda: cluster_entries(valkey_cluster).get(inbox_key) == 300, "a full inbox", 30
        )
        await b.start()
        await a.wait_delivered(within=RECOVERY_SECONDS)
        assert [shown.content for shown in b.history.shown.values()] == [f"{number}" for number in range(300)]


async def test_a_node_that_is_killed_under_traffic_and_comes_back_loses_nothing(
    site: Server, accounts: AccountPool, valkey_cluster: ValkeyCluster
) -> None:
    people = take_one_on_each_node(accounts, valkey_cluster)
    clients = [ChatClient(site.url, one) for one in people]
    async with clients[0], clients[1], clients[2]:

        async def talk(label: str) -> None:
            for number in range(40):
                for sender, receiver in zip(clients, people[1:] + people[:1], strict=True):
                    sender.send(receiver.user_id, f"{receiver.user_id} {label} {number}")
                await asyncio.sleep(0.01)

        for node in valkey_cluster.nodes:
            talking = asyncio.create_task(talk(f"node {node.port}"))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(node.kill)
            if node is valkey_cluster.nodes[1]:  # away so long that the others take nothing either
                await asyncio.to_thread(wait_until, lambda: is_down(valkey_cluster.nodes[0]), "a cluster down", 60)
            await asyncio.to_thread(node.restart)
            await talking
            for client in clients:
                await client.wait_delivered(within=RECOVERY_SECONDS)
        assert {error["code"] for client in clients for error in client.history.errors} <= {"unavailable"}
        report = check([client.history for client in clients])
        assert report.is_clean, report.text()
        assert report.counts["delivered"] == 3 * 40 * 3


async def test_a_node_that_comes_back_empty_loses_nothing(
    site: Server, accounts: AccountPool, valkey_cluster: ValkeyCluster
) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:
        await b.stop()
        for number in range(200):
            a.send(bob.user_id, f"{number}")
        await a.wait_for(lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓", within=60)
        with node_of(valkey_cluster, bob.user_id).client() as client:
            client.flushall()
        await b.start()
        await a.wait_delivered(within=RECOVERY_SECONDS)
        with node_of(valkey_cluster, bob.user_id).client() as client:
            client.flushall()
        for number in range(200, 220):
            a.send(bob.user_id, f"{number}")
        await a.wait_delivered(within=RECOVERY_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()


async def test_slots_move_key_by_key_and_back_at_once_while_people_talk(
    site: Server, accounts: AccountPool, valkey_cluster: ValkeyCluster
) -> None:
    ann, bob = accounts.take(2)
    source = node_of(valkey_cluster, bob.user_id)
    target = next(node for node in valkey_cluster.nodes if node is not source)
    slot = slot_of(bob.user_id)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:

        async def talk() -> None:
            for number in range(150):
                a.send(bob.user_id, f"a {number}")
                b.send(ann.user_id, f"b {number}")
                await asyncio.sleep(0.01)

        talking = asyncio.create_task(talk())
        await asyncio.sleep(0.2)
        await asyncio.to_thread(move_slot, valkey_cluster, slot, source, target)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(move_slot_atomically, slot, target, source)
        await talking
        await a.wait_delivered(within=RECOVERY_SECONDS)
        await b.wait_delivered(within=RECOVERY_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
        assert report.counts["delivered"] == 300


async def test_a_replica_takes_the_place_of_a_killed_node_and_nothing_is_lost() -> None:
    with (
        running_valkey_cluster(with_replicas=True) as cluster,
        running_server(INBOX_REDIS_URL=cluster.url) as site,
    ):
        ann, bob, *_ = take_one_on_each_node(AccountPool(site), cluster)
        async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:
            await b.stop()
            for number in range(100):
                a.send(bob.user_id, f"{number}")
            await a.wait_for(lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓", within=60)
            await asyncio.to_thread(node_of(cluster, bob.user_id).kill)
            await b.start()
            for number in range(100, 120):
                a.send(bob.user_id, f"{number}")
            await a.wait_delivered(within=2 * RECOVERY_SECONDS)
            report = check([a.history, b.history])
            assert report.is_clean, report.text()


# -- single calls, in every state of a slot ------------------------------------------------------------------------


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


# -- the cluster itself --------------------------------------------------------------------------------------------


def slot_of(user: str) -> int:
    return key_slot(f"{{{user}}}".encode())


def node_of(cluster: ValkeyCluster, user: str) -> ValkeyServer:
    """The node that has a user's keys."""
    for node in cluster.nodes:
        with node.client() as client, suppress(redis.ConnectionError):
            for first, last, (_, port, *_), *_ in client.execute_command("CLUSTER SLOTS"):
                if first <= slot_of(user) <= last:
                    return next(one for one in cluster.nodes if one.port == port)
    raise LookupError(user)


def is_down(node: ValkeyServer) -> bool:
    """Whether the cluster, as this node sees it, takes no commands."""
    with node.client() as client:
        return bool(client.execute_command("CLUSTER INFO")["cluster_state"] == "fail")


def move_slot(
    cluster: ValkeyCluster, slot: int, source: ValkeyServer, target: ValkeyServer, between: Any = lambda: None
) -> None:
    """Hand a slot over key by key, as a reshard does; ``between`` runs when some keys have gone."""
    with source.client() as s, target.client() as t:
        t.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", s.execute_command("CLUSTER MYID"))
        s.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", t.execute_command("CLUSTER MYID"))
        while keys := s.execute_command("CLUSTER GETKEYSINSLOT", slot, 1):
            s.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            between()
        for node in (target, source, *cluster.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", t.execute_command("CLUSTER MYID"))


def move_slot_atomically(slot: int, source: ValkeyServer, target: ValkeyServer) -> None:
    """Hand a slot over at once, as Valkey 9 can."""
    with source.client() as s, target.client() as t:
        myself = t.execute_command("CLUSTER MYID")
        s.execute_command("CLUSTER MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", myself)

        def owns() -> bool:
            return any(
                first <= slot <= last and node[1] == target.port
                for first, last, node, *_ in t.execute_command("CLUSTER SLOTS")
            )

        wait_until(owns, "a slot at its new node", RECOVERY_SECONDS)
