"""A site whose users are spread over a real cluster of three: people chat, nodes die, slots move."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.processes import wait_until
from tests.client.server import Server, running_server
from tests.faults.checker import check
from tests.servers.valkey import ValkeyCluster, running_valkey_cluster
from tests.servers.valkey_slots import is_down, move_slot, move_slot_atomically, node_of, slot_of

pytestmark = pytest.mark.production

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
