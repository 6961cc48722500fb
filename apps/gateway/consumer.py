"""The Channels consumer of ``/ws/chat/``.

It overrides ``__call__`` with a receive loop of its own: Channels' dispatch by handler name, and its channel and task
for every
connection, cost several times what a frame does. One channel a process takes their place (``apps.connections.bus``).
"""

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from channels.consumer import AsyncConsumer
from django.conf import settings

from apps.gateway.authentication import Refused, authenticate, find_credential
from apps.gateway.close_codes import CloseReason
from apps.gateway.connection import Connection
from apps.gateway.entrance import admit, count_connection
from apps.gateway.handlers import handle_frame
from apps.gateway.measures import count_close
from apps.gateway.outgoing import Outgoing
from apps.gateway.pace import Pace
from apps.gateway.process import GatewayProcess, get_gateway_process
from apps.protocol import server_frames

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from apps.accounts.credentials import DeviceIdentity

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)


class ChatConsumer(AsyncConsumer):
    """One socket, from accept to close."""

    async def __call__(self, scope: "Mapping[str, Any]", receive: "Receive", send: "Send") -> None:
        """Accept first and close with a code after, so that browsers can read the code."""
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept"})
        process = get_gateway_process()
        try:
            await count_connection(scope, find_credential(scope))
            identity = await admit(process, partial(authenticate, scope, process.threads))
        except Refused as refused:
            await _close(send, receive, refused.reason)
            return
        except Exception:
            # Valkey or the users' database is down: the client tries again as after a restart.
            logger.warning("connect failed", exc_info=True)
            await _close(send, receive, CloseReason.RESTARTING)
            return
        # A connection may live for weeks: the headers it was opened with are needed no more.
        scope["headers"].clear()
        await self._serve(process, identity, receive, send)

    @staticmethod
    async def _serve(process: GatewayProcess, identity: "DeviceIdentity", receive: "Receive", send: "Send") -> None:
        connection = Connection(process, identity, Outgoing(send))
        try:
            registration = await process.open(connection)
            connection.send(
                server_frames.connected(
                    user_id=identity.user_id,
                    device_id=identity.device_id,
                    server_id=process.server_id,
                    now_ms=int(time.time() * 1000),
                )
            )
            connection.start(registration)
            await _receive_frames(process, connection, receive)
        except Exception:
            logger.warning("connection of %s failed", identity.device_id, exc_info=True)
            connection.close(CloseReason.RESTARTING)
            await _receive_frames(process, connection, receive)
        finally:
            await process.close(connection)


async def _receive_frames(process: GatewayProcess, connection: Connection, receive: "Receive") -> None:
    """Until the client is gone, at no more than its pace. After a close of ours nothing more is taken."""
    # Without a rate limit there is no pace either: load generators speak for many on one connection.
    pace = Pace(time.monotonic()) if settings.RATE_LIMIT_PER_MINUTE else None
    while True:
        event = await receive()
        if event["type"] != "websocket.receive":
            return
        if connection.outgoing.closing:
            continue
        text = event.get("text")
        if text is None:
            connection.close(CloseReason.BINARY_FRAME)
        else:
            frames = handle_frame(process, connection, text)
            if pace is not None and (pause := pace.spend(frames, time.monotonic())):
                await asyncio.sleep(pause)


async def _close(send: "Send", receive: "Receive", reason: CloseReason) -> None:
    """Close, and wait for the client's answer so that the code arrives."""
    count_close(reason)
    await send({"type": "websocket.close", "code": reason.code, "reason": reason.text})
    while (await receive())["type"] != "websocket.disconnect":
        continue


class UnknownPathConsumer(AsyncConsumer):
    """Refuses every other path with HTTP 403."""

    async def __call__(self, scope: "Mapping[str, Any]", receive: "Receive", send: "Send") -> None:
        """Close before accepting."""
        await receive()
        await send({"type": "websocket.close"})
