"""What a gateway bounds of HTTP requests before Django sees them: head, body, time, and how many run at once.

Django writes the whole body of a request to disk before any of its own limits looks at it, and each request that runs
has a thread and, where it asks the database, a connection of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from apps.gateway.request_body import BODY_SECONDS, BodyTooLong, BodyTooSlow, ClientGone, Receive, read_body

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
MAX_BODY_BYTES = 1024 * 1024
RUNNING = 16
"""Requests of a gateway process that run in Django at once; with them, its connections to the users' database."""

WAITING = 512
UNCOUNTED_PATHS = ("/static/", "/healthz", "/readyz", "/metrics")
"""They need no database connection, or must answer when others do not."""

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[..., Awaitable[None]]


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 that closes on a request whose head is too long, or not there in time."""

    _head_bytes = 0
    _in_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it so
        """A client is there: its first request's head is to come."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._close_if_in_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head, at most one read too far."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is over."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is over; uvicorn's own keep-alive limit is for the time until the next."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def _close_if_in_head(self) -> None:
        if self._in_head:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class BoundedHttpApplication:
    """An ASGI application that gets whole bodies of at most 1 MiB, and 16 requests at once; others wait their turn."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._slots = asyncio.Semaphore(RUNNING)
        self._waiting = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        try:
            body = await read_body(scope, receive, MAX_BODY_BYTES)
        except ClientGone:
            return
        except BodyTooSlow:
            await _refuse(send, 408, "timeout", f"Expected the whole body within {BODY_SECONDS:.0f} s.")
            return
        except BodyTooLong:
            await _refuse(send, 413, "content_too_long", f"Expected a body of at most {MAX_BODY_BYTES:,} bytes.")
            return
        replay = _replay(body, receive)
        if scope["path"].startswith(UNCOUNTED_PATHS):
            await self._application(scope, replay, send)
            return
        if self._waiting >= WAITING:
            await _refuse(send, 503, "overloaded", "Too many requests wait; try again.", (b"retry-after", b"2"))
            return
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._application(scope, replay, send)
        finally:
            self._slots.release()


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first, then whatever the client does next."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer as REST does, and close: what else the client sends is not read."""
    content = orjson.dumps({"code": code, "message": message})
    fixed = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"private, no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": content})
