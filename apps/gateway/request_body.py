"""Reading the body of an HTTP request whole, within bounds of size and time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

BODY_SECONDS = 20.0
"""How long a body may take to arrive."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):
    """Nobody waits for an answer any more."""


class BodyTooLong(Exception):
    """The body is, or is declared to be, longer than allowed."""


class BodyTooSlow(Exception):
    """The body was not there in time."""


async def read_body(scope: Mapping[str, Any], receive: Receive, limit: int) -> bytes:
    """The whole body, of ``limit`` bytes at most; one that is declared longer is not read at all.

    Raises BodyTooLong, BodyTooSlow, or ClientGone where the client leaves before.
    """
    if _declared_length(scope) > limit:
        raise BodyTooLong
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                event = await receive()
                if event["type"] != "http.request":
                    raise ClientGone
                chunks.append(event.get("body", b""))
                size += len(chunks[-1])
                if size > limit:
                    raise BodyTooLong
                more = event.get("more_body", False)
    except TimeoutError:
        raise BodyTooSlow from None
    return b"".join(chunks)


def _declared_length(scope: Mapping[str, Any]) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length" and value.isdigit()), 0)
