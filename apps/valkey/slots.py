"""Which node of a cluster has which keys, and what is known of a cluster at all. Pure: nothing here asks a server."""

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ClusterDownError

TRIES_PER_NODE = 100
"""Key names tried at most, for each node, until one falls to it; a node with few slots may go without."""


def list_seeds(url: str) -> list[str]:
    """One URL for each server that a URL names: ``redis://user:password@h1:p1,h2:p2`` names two."""
    parts = urlsplit(url)
    if "," not in parts.netloc:
        return [url]
    credentials, at, hosts = parts.netloc.rpartition("@")
    return [urlunsplit(parts._replace(netloc=f"{credentials}{at}{host}")) for host in hosts.split(",")]


def node_url(url: str, host: str, port: int) -> str:
    """The URL of another node, with the credentials and options of this one; no host: the same host."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    host = host or str(parts.hostname)
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}{f'[{host}]' if ':' in host else host}:{port}"))


class SlotMap:
    """The hash slots of a cluster and the URL of each one's node; ``nodes``: the URLs of all that have slots."""

    def __init__(self, asked_url: str, answer: Sequence[Sequence[Any]]) -> None:
        """Read an answer to ``CLUSTER SLOTS``: [first slot, last slot, [host, port, …], replicas …] for each range."""
        self._owners: list[str | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, (host, port, *_), *_replicas in answer:
            # "?" and nothing mean: where you asked.
            owner = node_url(asked_url, "" if host in (None, "?") else str(host), int(port))
            self._owners[int(first) : int(last) + 1] = [owner] * (int(last) - int(first) + 1)
        self.nodes = list(dict.fromkeys(owner for owner in self._owners if owner is not None))

    def owner(self, key: str) -> str:
        """The URL of the node that has a key. Raises ClusterDownError, a ValkeyError, where no node has its slot."""
        owner = self._owners[key_slot(key.encode())]
        if owner is None:
            raise ClusterDownError("CLUSTERDOWN Hash slot not served")
        return owner

    def spread(self, key: str) -> list[str]:
        """Names that begin with ``key``, one on each node."""
        found: dict[str, str] = {}
        for number in range(TRIES_PER_NODE * len(self.nodes)):
            found.setdefault(self.owner(f"{key}:{number}"), f"{key}:{number}")
            if len(found) == len(self.nodes):
                break
        return list(found.values())


class Topology:
    """What one URL leads to, as far as it is known: a server, or a cluster with a slot map.

    Forgotten whenever a server failed or sent us elsewhere, and asked for anew before the next batch.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._seeds = list_seeds(url)
        # A socket is a server's own: nobody would be sent from it to another node.
        self.is_known = self.is_server_for_sure = urlsplit(url).scheme.endswith("unix")
        self.slots: SlotMap | None = None
        self._askable = list(self._seeds)

    def candidates(self) -> list[str]:
        """Servers to ask, in this order; the seeds are always among them."""
        return list(self._askable)

    def learn_server(self, url: str) -> None:
        """It is one server. Raises ValueError where the URL names several."""
        if len(self._seeds) > 1:
            raise ValueError(f"several servers are named, and {without_password(url)} is no node of a cluster")
        self.slots, self.is_known = None, True

    def learn_cluster(self, url: str, answer: Sequence[Sequence[Any]]) -> None:
        """It is a cluster; ``answer`` is what this node said to ``CLUSTER SLOTS``."""
        self.slots, self.is_known = SlotMap(url, answer), True
        self._askable = list(dict.fromkeys([url, *self.slots.nodes, *self._seeds]))

    def note(self, *, failed: Collection[str] = (), new_owner: str = "") -> None:
        """Whom to ask next: not those that failed, but the node to which a slot has moved; others may not know yet."""
        self._askable.sort(key=lambda url: (url in failed, url != new_owner))

    def forget(self) -> None:
        """What is known may be wrong by now."""
        self.is_known = self.is_server_for_sure


def without_password(url: str) -> str:
    """Host and port of a server, for messages."""
    return urlsplit(url).netloc.rpartition("@")[2]
