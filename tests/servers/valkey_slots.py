"""The hash slots of a Valkey cluster: whose they are, and how they move."""

from collections.abc import Callable
from contextlib import suppress

import redis
from redis.crc import key_slot

from tests.client.processes import wait_until
from tests.servers.valkey import CLUSTER_TIMEOUT, ValkeyCluster, ValkeyServer


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
    cluster: ValkeyCluster,
    slot: int,
    source: ValkeyServer,
    target: ValkeyServer,
    between: Callable[[], None] = lambda: None,
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

        wait_until(owns, "a slot at its new node", CLUSTER_TIMEOUT)
