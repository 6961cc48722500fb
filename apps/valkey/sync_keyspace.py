"""The keys of all users, on one server or spread over a cluster, for processes that are not async."""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from redis.exceptions import RedisError

from apps.valkey.batch import (
    MAX_ROUNDS,
    PAUSE_SECONDS,
    Batch,
    Command,
    Item,
    command,
    item_commands,
    scatter,
    script_command,
)
from apps.valkey.exchange import exchange
from apps.valkey.pools import ValkeyError, sync_client
from apps.valkey.scripts import Argument, Script
from apps.valkey.slots import SlotMap, Topology, without_password


class SyncKeyspace:
    """Commands and scripts, each sent to the node that has its key; every method raises ValkeyError.

    Which it is, a server or a cluster, the server says itself. A batch goes to all its nodes at the same time. Where
    one of them fails, what the others did stays done: whoever calls must be able to repeat the batch.
    """

    def __init__(self, url: str) -> None:
        self._topology = Topology(url)

    def execute(self, *args: Argument) -> Any:
        """One command; its first argument is its key."""
        return self._run([command(*args)])[0]

    def execute_all(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Many commands, pipelined; those for one key are carried out in their order."""
        return self._run([command(*args) for args in commands])

    def get_all(self, keys: Sequence[str]) -> list[str | None]:
        """The texts of many keys: on one server one MGET."""
        if not keys:
            return []
        if self._slots() is None:
            return list(self.execute("MGET", *keys))
        return self.execute_all([("GET", key) for key in keys])

    def run(self, script: Script, tag: str, arguments: Sequence[Argument]) -> Any:
        """A script for one user."""
        on_cluster = self._slots() is not None
        return self._run([script_command(script, tag, arguments, on_cluster=on_cluster)])[0]

    def run_items(self, script: Script, head: Sequence[Argument], items: Sequence[Item]) -> list[Any]:
        """A script for many users, which answers with one entry for each item: on one server one call, on a cluster
        one for each hash tag.
        """
        if not items:
            return []
        commands, indexes = item_commands(script, head, items, on_cluster=self._slots() is not None)
        return scatter(indexes, self._run(commands))

    def scan(self, pattern: str) -> Iterator[str]:
        """All keys of this pattern, in no order."""
        for url in self.node_urls():
            yield from sync_client(url).scan_iter(match=pattern, count=1000)

    def scan_page(self, pattern: str, cursor: str, count: int) -> tuple[str, list[str]]:
        """One step of a walk over all keys: looks at about ``count`` of a node's keys, gives the next step's cursor and
        what is of the pattern. The cursor "" begins a walk, and is given where it ends.
        """
        urls = self.node_urls()
        index, position = (int(part) for part in (cursor or "0 0").split(" "))
        if index >= len(urls):
            return "", []
        position, keys = sync_client(urls[index]).scan(position, match=pattern, count=count)
        if position == 0:
            index += 1
        return (f"{index} {position}" if index < len(urls) else ""), keys

    def check(self) -> None:
        """Ask every node whether it answers."""
        self._topology.forget()
        for url in self.node_urls():
            sync_client(url).ping()

    def node_urls(self) -> list[str]:
        """Every node's own URL; of one server its URL."""
        slots = self._slots()
        return [self._topology.url] if slots is None else slots.nodes

    # -- beneath ---------------------------------------------------------------------------------------------------

    def _run(self, commands: Sequence[Command]) -> list[Any]:
        batch = Batch(commands, self._topology.url)
        try:
            for _ in range(MAX_ROUNDS):
                shipments = batch.next_shipments(self._slots())
                if not shipments:
                    break
                for shipment, answers in zip(shipments, exchange(shipments), strict=True):
                    batch.take(shipment, answers)
                if batch.put_off:
                    time.sleep(PAUSE_SECONDS)
        finally:
            self._topology.note(failed=batch.failed_urls, new_owner=batch.new_owner)
            if batch.was_misled:
                self._topology.forget()
        return batch.answers()

    def _slots(self) -> SlotMap | None:
        """The slot map; None on one server."""
        if not self._topology.is_known:
            self._ask()
        return self._topology.slots

    def _ask(self) -> None:
        failed: dict[str, Exception] = {}
        for url in self._topology.candidates():
            try:
                client = sync_client(url)
                if client.info("cluster").get("cluster_enabled"):
                    self._topology.learn_cluster(url, client.execute_command("CLUSTER SLOTS"))
                else:
                    self._topology.learn_server(url)
                break
            except (RedisError, OSError) as error:
                failed[url] = error
            except ValueError as error:
                raise ValkeyError(str(error)) from None
        self._topology.note(failed=failed)
        if not self._topology.is_known:
            raise ValkeyError(describe_failures(failed))


@lru_cache(maxsize=32)
def sync_keyspace(url: str) -> SyncKeyspace:
    """The process's keyspace at a URL: of a server, of any node of a cluster, or of several with commas between."""
    return SyncKeyspace(url)


def describe_failures(failed: dict[str, Exception]) -> str:
    """One line for the case that nobody answered."""
    return "no server answers: " + "; ".join(f"{without_password(url)}: {error}" for url, error in failed.items())
