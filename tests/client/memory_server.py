"""A chat server in memory that keeps the contract as long as it is not told to break it: for testing the client.

It holds one log, one inbox per user and the dedup of retries, all in dictionaries. Any token is the user id.
"""

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]


class MemoryServer:
    """State of the server; `groups` (id → members) and the attributes below `faults` are what a test may set."""

    def __init__(self) -> None:
        self.url = ""
        self.frames_in: list[Frame] = []
        self.connections: dict[str, ServerConnection] = {}
        self.inboxes: dict[str, dict[str, Frame]] = defaultdict(dict)
        self.groups: dict[str, list[str]] = {}
        self._sequences = itertools.count(1)
        self._accepted: dict[tuple[str, Any], Frame] = {}  # (sender, client id) → its `message_received`
        self._senders: dict[str, tuple[str, Any]] = {}  # message id → (sender, client id)
        self._delivered: dict[tuple[str, Any], Frame] = {}  # (sender, client id) → its ✓✓
        # faults
        self.refusals: list[Frame] = []  # answers given instead of ✓, one a `send_message`
        self.cut_before_ack = 0  # so many messages are stored, then the socket is cut instead of ✓
        self.repeat_pushes = False
        self.answers_heartbeats = True
        self.greets = True  # False: a connection is taken, and `connected` never comes

    async def handle(self, connection: ServerConnection) -> None:
        """One client's connection, from `connected` to its end."""
        assert connection.request is not None
        user_id = connection.request.headers["Authorization"].removeprefix("Token ")
        self.connections[user_id] = connection
        await self._open(connection, user_id)
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                frame: Frame = orjson.loads(text)
                self.frames_in.append(frame)
                await self._take(connection, user_id, frame)
        if self.connections.get(user_id) is connection:
            del self.connections[user_id]

    async def _open(self, connection: ServerConnection, user_id: str) -> None:
        if not self.greets:
            return
        hello = {"action": "connected", "protocol": 1, "user_id": user_id, "device_id": f"dev-{user_id}"}
        await send(connection, hello | {"server_id": "memory", "heartbeat_interval": 30, "timestamp": now_ms()})
        waiting = list(self.inboxes[user_id].values())
        for frame in waiting:
            await send(connection, frame)
        await send(connection, {"action": "inbox_drained", "count": len(waiting)})

    async def _take(self, connection: ServerConnection, user_id: str, frame: Frame) -> None:
        match frame["action"]:
            case "send_message":
                await self._accept(connection, user_id, frame)
            case "message_delivered":
                for message_id in frame.get("message_ids", [frame.get("message_id")]):
                    await self._confirm(user_id, message_id)
            case "heartbeat" if self.answers_heartbeats:
                await send(connection, {"action": "heartbeat", "timestamp": now_ms()})

    async def _accept(self, connection: ServerConnection, user_id: str, frame: Frame) -> None:
        key = (user_id, frame["message_id_by_client"])
        if self.refusals:
            await send(connection, self.refusals.pop(0) | {"action": "error", "message_id_by_client": key[1]})
            return
        received = self._accepted.get(key)
        if received is None:
            received = await self._store(key, frame)
        if self.cut_before_ack:
            self.cut_before_ack -= 1
            connection.transport.abort()
            return
        await send(connection, received)
        if key in self._delivered:
            await send(connection, self._delivered[key])

    async def _store(self, key: tuple[str, Any], frame: Frame) -> Frame:
        sequence = next(self._sequences)
        message_id = f"msg-{sequence:016x}"
        common = {"message_id": message_id, "sequence": sequence, "timestamp": now_ms()}
        self._accepted[key] = {"action": "message_received", "message_id_by_client": key[1]} | common
        self._senders[message_id] = key
        pushed = {"action": "incoming_message", "sender_id": key[0], "content": frame["content"]} | common
        receivers = [frame.get("receiver_id", "")]
        if "group_id" in frame:
            pushed["group_id"] = frame["group_id"]
            receivers = [one for one in self.groups[frame["group_id"]] if one != key[0]]
        for receiver in receivers:
            self.inboxes[receiver][message_id] = pushed
            for _ in range(2 if self.repeat_pushes else 1):
                await self._push(receiver, pushed)
        return self._accepted[key]

    async def _confirm(self, user_id: str, message_id: str) -> None:
        if self.inboxes[user_id].pop(message_id, None) is None:
            return
        sender_id, client_id = self._senders[message_id]
        frame = {"action": "message_delivered", "message_id": message_id, "timestamp": now_ms()}
        self._delivered[sender_id, client_id] = frame | {"message_id_by_client": client_id}
        await self._push(sender_id, self._delivered[sender_id, client_id])

    async def _push(self, user_id: str, frame: Frame) -> None:
        if (connection := self.connections.get(user_id)) is not None:
            await send(connection, frame)


async def send(connection: ServerConnection, frame: Frame) -> None:
    """Write one frame; a connection that has gone takes nothing."""
    with contextlib.suppress(ConnectionClosed):
        await connection.send(orjson.dumps(frame).decode())


def now_ms() -> int:
    """The server's clock, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@contextlib.asynccontextmanager
async def memory_server() -> AsyncIterator[MemoryServer]:
    """Run a MemoryServer on a free port; `url` is its WebSocket address."""
    state = MemoryServer()
    async with serve(state.handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        state.url = f"ws://127.0.0.1:{port}/ws/chat/"
        yield state
        for connection in list(state.connections.values()):
            connection.transport.abort()
        await asyncio.sleep(0)
