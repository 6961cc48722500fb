"""The registry: which device is connected to which gateway process.

Async for the gateway, sync for whoever reads it. All scripts take lists: one call a batch, on a cluster one a user.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.connections.keys import CONNECTION_TTL_SECONDS, connections_key, connects_key, gateway_key
from apps.valkey.async_keyspace import AsyncKeyspace, async_keyspace
from apps.valkey.scripts import Script
from apps.valkey.sync_keyspace import sync_keyspace

_LUA = Path(__file__).parent / "lua"
_CONNECT = Script(_LUA / "connect.lua")
_RENEW = Script(_LUA / "renew.lua")
_DISCONNECT = Script(_LUA / "disconnect.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A fresh connection: its id, whom it replaced, and where the device's inbox stands.

    ``epoch`` is empty where the inbox must be rebuilt first; ``waits`` says whether anything is there to drain.
    """

    connection_id: int
    previous_server_id: str
    previous_connection_id: int
    epoch: str
    counter: int
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What one heartbeat says: ``written_up_to`` is the counter that was on the socket at the heartbeat before."""

    user_id: str
    device_id: str
    connection_id: int
    connected_at_ms: int
    epoch: str
    written_up_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The answer to a renewal: whether a newer connection took over, and where the inbox stands."""

    replaced: bool
    epoch: str
    counter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One connected device, as the registry has it."""

    user_id: str
    device_id: str
    server_id: str
    connection_id: int
    connected_at_ms: int


async def register_connection(user_id: str, device_id: str, server_id: str) -> Registration:
    """Make this the device's connection. Raises ValkeyError."""
    arguments = (user_id, device_id, server_id, CONNECTION_TTL_SECONDS)
    answer: list[str] = await _keyspace().run(_CONNECT, user_id, arguments)
    connection_id, previous_server_id, previous_id, epoch, counter, first = answer
    return Registration(
        connection_id=int(connection_id),
        previous_server_id=previous_server_id,
        previous_connection_id=int(previous_id or 0),
        epoch=epoch,
        counter=int(counter),
        waits=first != "",
    )


async def renew_connections(server_id: str, renewals: Sequence[Renewal]) -> list[Standing]:
    """Renew many connections at once, in their order. Raises ValkeyError; may be repeated."""
    items = [
        (
            renewal.user_id,
            renewal.device_id,
            renewal.connection_id,
            renewal.connected_at_ms,
            renewal.epoch,
            renewal.written_up_to,
        )
        for renewal in renewals
    ]
    answer: list[list[Any]] = await _keyspace().run_items(_RENEW, (server_id, CONNECTION_TTL_SECONDS), items)
    return [
        Standing(replaced=status == "newer", epoch=epoch, counter=int(counter)) for status, epoch, counter in answer
    ]


async def remove_connections(connections: Sequence[tuple[str, str, int]]) -> None:
    """Forget ended connections, each (user, device, connection id). Raises ValkeyError."""
    await _keyspace().run_items(_DISCONNECT, (), connections)


async def count_connects(sources: Sequence[str]) -> list[int]:
    """Count one more connect of each source (an address, a credential), in one round trip; says how many of each this
    minute has. Raises ValkeyError.
    """
    keys = [connects_key(source) for source in sources]
    commands = [one for key in keys for one in (("INCR", key), ("EXPIRE", key, 60, "NX"))]
    answers = await _keyspace().execute_all(commands)
    return [int(count) for count in answers[::2]]


def list_connections(user_ids: Sequence[str] | None = None) -> list[Connection]:
    """Who is connected where: these users, or everybody (a scan: for operators). Raises ValkeyError."""
    keyspace = sync_keyspace(settings.INBOX_REDIS_URL)
    if user_ids is None:
        keys = sorted(keyspace.scan("connections:*"))
    else:
        keys = [connections_key(user_id) for user_id in user_ids]
    found: list[Connection] = []
    for key in keys:
        user_id = key.removeprefix("connections:{").removesuffix("}")
        for device_id, value in sorted(keyspace.execute("HGETALL", key).items()):
            server_id, connection_id, connected_at_ms = value.split(" ")
            found.append(
                Connection(
                    user_id=user_id,
                    device_id=device_id,
                    server_id=server_id,
                    connection_id=int(connection_id),
                    connected_at_ms=int(connected_at_ms),
                )
            )
    return found


async def note_gateway(server_id: str, connections: int) -> bool:
    """Say that this gateway process lives, and how many connections it has. Returns whether the registry knew, on each
    of its nodes: if not, it has been lost, at least in part. Raises ValkeyError.
    """
    keys = await _keyspace().spread(gateway_key(server_id))
    value = ("EX", CONNECTION_TTL_SECONDS)
    known = await _keyspace().execute_all([("SET", key, connections, "XX", *value) for key in keys])
    if not all(known):
        await _keyspace().execute_all([("SET", key, connections, *value) for key in keys])
    return all(known)


def count_connections_by_gateway() -> dict[str, int]:
    """How many connections each gateway process that lives has, as it said within the last second. Raises ValkeyError.

    A scan of keys, without a look at any connection: for operators.
    """
    keyspace = sync_keyspace(settings.INBOX_REDIS_URL)
    keys = sorted(keyspace.scan(gateway_key("gw-*")))
    # On a cluster each process has a key on each node, all with the same value: "gateway:gw-…:number".
    return {
        key.split(":")[1]: int(count)
        for key, count in zip(keys, keyspace.get_all(keys), strict=True)
        if count is not None
    }


async def find_connection_id(user_id: str, device_id: str) -> int:
    """Which connection of a device is registered; 0 for none. Raises ValkeyError."""
    [value] = await _keyspace().execute_all([("HGET", connections_key(user_id), device_id)])
    return int(value.split(" ")[1]) if value else 0


async def find_servers(user_ids: Sequence[str]) -> list[dict[str, list[str]]]:
    """For each user: gateway process → the devices connected there. Raises ValkeyError."""
    answers: list[dict[str, str]] = await _keyspace().execute_all(
        [("HGETALL", connections_key(user_id)) for user_id in user_ids]
    )
    found: list[dict[str, list[str]]] = []
    for answer in answers:
        by_server: dict[str, list[str]] = {}
        for device_id, value in answer.items():
            by_server.setdefault(value.partition(" ")[0], []).append(device_id)
        found.append(by_server)
    return found


def _keyspace() -> AsyncKeyspace:
    return async_keyspace(settings.INBOX_REDIS_URL)
