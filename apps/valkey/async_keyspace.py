"""The keys of all users, on one server or spread over a cluster, for the event loop: as ``sync_keyspace``."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from redis.exceptions import RedisError

from apps.valkey.batch import (
    MAX_ROUNDS,
    PAUSE_SECONDS,
    Batch,
    Command,
    Item,
    Shipment,
    command,
    item_commands,
    scatter,
    script_command,
)
from apps.valkey.pools import ValkeyError, async_client
from apps.valkey.scripts import Argument, Script
from apps.valkey.slots import SlotMap, Topology
from apps.valkey.sync_keyspace import describe_failures


class AsyncKeyspace:
    """Commands and scripts, each sent to the node that has its key; every method raises ValkeyError.

    Nothing blocks the loop, not even finding out whether it is a server or a cluster. As in ``SyncKeyspace``, a batch
    of which a part failed must be repeatable.
    """

    def __init__(self, url: str) -> None:
        self._topology = Topology(url)

    async def execute(self, *args: Argument) -> Any:
        """One command; its first argument is its key."""
        return (await self._run([command(*args)]))[0]

    async def execute_all(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Many commands, pipelined; those for one key are carried out in their order."""
        return await self._run([command(*args) for args in commands])

    async def get_all(self, keys: Sequence[str]) -> list[str | None]:
        """The texts of many keys: on one server one MGET."""
        if not keys:
            return []
        if await self._slots() is None:
            return list(await self.execute("MGET", *keys))
        return await self.execute_all([("GET", key) for key in keys])

    async def run(self, script: Script, tag: str, arguments: Sequence[Argument]) -> Any:
        """A script for one user."""
        on_cluster = await self._slots() is not None
        return (await self._run([script_command(script, tag, arguments, on_cluster=on_cluster)]))[0]

    async def run_items(self, script: Script, head: Sequence[Argument], items: Sequence[Item]) -> list[Any]:
        """A script for many users, which answers with one entry for each item: on one server one call, on a cluster
        one for each hash tag.
        """
        if not items:
            return []
        commands, indexes = item_commands(script, head, items, on_cluster=await self._slots() is not None)
        return scatter(indexes, await self._run(commands))

    async def spread(self, key: str) -> list[str]:
        """Names that begin with ``key``, one on each node: what is true of all of them is true of every node."""
        slots = await self._slots()
        return [key] if slots is None else slots.spread(key)

    # -- beneath ---------------------------------------------------------------------------------------------------

    async def _run(self, commands: Sequence[Command]) -> list[Any]:
        batch = Batch(commands, self._topology.url)
        try:
            for _ in range(MAX_ROUNDS):
                shipments = batch.next_shipments(await self._slots())
                if not shipments:
                    break
                for shipment, answers in zip(shipments, await _exchange(shipments), strict=True):
                    batch.take(shipment, answers)
                if batch.put_off:
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._topology.note(failed=batch.failed_urls, new_owner=batch.new_owner)
            if batch.was_misled:
                self._topology.forget()
        return batch.answers()

    async def _slots(self) -> SlotMap | None:
        """The slot map; None on one server."""
        if not self._topology.is_known:
            await self._ask()
        return self._topology.slots

    async def _ask(self) -> None:
        failed: dict[str, Exception] = {}
        for url in self._topology.candidates():
            try:
                client = async_client(url)
                if (await client.info("cluster")).get("cluster_enabled"):
                    self._topology.learn_cluster(url, await client.execute_command("CLUSTER SLOTS"))
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
def async_keyspace(url: str) -> AsyncKeyspace:
    """The process's keyspace at a URL: of a server, of any node of a cluster, or of several with commas between."""
    return AsyncKeyspace(url)


async def _exchange(shipments: Sequence[Shipment]) -> list[list[Any]]:
    if len(shipments) == 1:
        return [await _send(shipments[0])]
    return list(await asyncio.gather(*map(_send, shipments)))


async def _send(shipment: Shipment) -> list[Any]:
    """The node's answers; errors are answers too."""
    client = async_client(shipment.url)
    try:
        if len(shipment.commands) == 1:
            return [await client.execute_command(*shipment.commands[0])]
        pipeline = client.pipeline(transaction=False)
        for args in shipment.commands:
            pipeline.execute_command(*args)
        return list(await pipeline.execute(raise_on_error=False))
    except (RedisError, OSError) as error:
        return [error] * len(shipment.commands)
