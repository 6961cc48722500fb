"""The registry: which device is connected to which gateway process.

Async for the gateway, sync for whoever reads it. All scripts take lists: one call a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.connections.keys import CONNECTION_TTL_SECONDS, connections_key, connects_key, gateway_key
from apps.valkey.pools import async_client, sync_client
from apps.valkey.scripts import Script

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
    answer: list[str] = await _CONNECT.run_async(async_client(settings.INBOX_REDIS_URL), (), arguments)
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
    """Renew many connections in one call, in their order. Raises ValkeyError."""
    arguments: list[str | int] = [server_id, CONNECTION_TTL_SECONDS]
    for renewal in renewals:
        arguments += (
            renewal.user_id,
            renewal.device_id,
            renewal.connection_id,
            renewal.connected_at_ms,
            renewal.epoch,
            renewal.written_up_to,
        )
    answer: list[list[Any]] = await _RENEW.run_async(async_client(settings.INBOX_REDIS_URL), (), arguments)
    return [
        Standing(replaced=status == "newer", epoch=epoch, counter=int(counter)) for status, epoch, counter in answer
    ]


async def remove_connections(connections: Sequence[tuple[str, str, int]]) -> None:
    """Forget ended connections, each (user, device, connection id). Raises ValkeyError."""
    arguments = [part for connection in connections for part in connection]
    await _DISCONNECT.run_async(async_client(settings.INBOX_REDIS_URL), (), arguments)


async def count_connects(source: str) -> int:
    """Count one more connect of an address or user and say how many this minute has. Raises ValkeyError."""
    async with async_client(settings.INBOX_REDIS_URL).pipeline(transaction=False) as pipeline:
        pipeline.incr(connects_key(source))
        pipeline.expire(connects_key(source), 60, nx=True)
        count, _ = await pipeline.execute()
    return int(count)


def list_connections(user_ids: Sequence[str] | None = None) -> list[Connection]:
    """Who is connected where: these users, or everybody (a scan: for operators). Raises ValkeyError."""
    client = sync_client(settings.INBOX_REDIS_URL)
    if user_ids is None:
        keys = sorted(client.scan_iter(match="connections:*", count=1000))
    else:
        keys = [connections_key(user_id) for user_id in user_ids]
    found: list[Connection] = []
    for key in keys:
        user_id = key.removeprefix("connections:{").removesuffix("}")
        for device_id, value in sorted(client.hgetall(key).items()):
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


async def note_gateway(server_id: str) -> bool:
    """Say that this gateway process lives. Returns whether the registry knew: if not, it has been lost. Raises
    ValkeyError.
    """
    client = async_client(settings.INBOX_REDIS_URL)
    return await client.set(gateway_key(server_id), "1", ex=CONNECTION_TTL_SECONDS, get=True) is not None


async def find_servers(user_ids: Sequence[str]) -> list[dict[str, list[str]]]:
    """For each user: gateway process → the devices connected there. Raises ValkeyError."""
    async with async_client(settings.INBOX_REDIS_URL).pipeline(transaction=False) as pipeline:
        for user_id in user_ids:
            pipeline.hgetall(connections_key(user_id))
        answers: list[dict[str, str]] = await pipeline.execute()
    found: list[dict[str, list[str]]] = []
    for answer in answers:
        by_server: dict[str, list[str]] = {}
        for device_id, value in answer.items():
            by_server.setdefault(value.partition(" ")[0], []).append(device_id)
        found.append(by_server)
    return found
