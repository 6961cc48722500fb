"""The ASGI application of ``POST /chat/poll``: long polling for networks that block WebSockets.

Same authentication, frames and guarantees as ``/ws/chat/``. A poll is held until there are frames, or for ``wait_ms``;
it has no part in Django's HTTP, so that it costs a timer while it waits and never a thread.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.gateway.authentication import Refused, read_credential
from apps.gateway.close_codes import CloseReason
from apps.gateway.entrance import check_address, count_connection
from apps.gateway.measures import count_close
from apps.gateway.poll_connection import PollConnection
from apps.gateway.process import get_gateway_process
from apps.gateway.request_body import BODY_SECONDS, BodyTooLong, BodyTooSlow, ClientGone, Receive, read_body
from apps.protocol.errors import ErrorCode
from apps.protocol.polls import (
    MAX_POLL_BYTES,
    PollError,
    PollRequest,
    decode_poll_request,
    encode_poll_answer,
    encode_poll_refusal,
)

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

_PRIVATE: Headers = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"private, no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_SOON = ((b"retry-after", b"1"),)
_LATER = ((b"retry-after", b"15"),)
_STATUS_OF_CLOSE: dict[int, tuple[int, Headers]] = {
    1008: (400, ()),
    1012: (503, _SOON),
    1013: (503, _SOON),
    4401: (401, ((b"www-authenticate", b"Token"),)),
    4403: (403, ()),
    4408: (503, _SOON),
    4409: (409, ()),
    4429: (429, _LATER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """An HTTP response. ``connection`` is the one whose frames it carries."""

    status: int
    body: bytes
    headers: Headers = ()
    connection: PollConnection | None = None


async def poll_application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer one poll."""
    client = _Client(receive)
    try:
        await _respond(send, await _answer(scope, client), client)
    except ClientGone:
        return
    finally:
        client.forget()


class _Client:
    """The other end of one request: its body, and whether it still waits."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None

    async def read_body(self, scope: Mapping[str, Any]) -> bytes:
        """The whole body. Raises PollError where it is too long or too slow, and ClientGone where it does not come."""
        try:
            return await read_body(scope, self._receive, MAX_POLL_BYTES)
        except BodyTooSlow:
            raise PollError(ErrorCode.INVALID_JSON, f"Expected the whole body within {BODY_SECONDS:.0f} s.") from None
        except BodyTooLong:
            expected = f"Expected a body of at most {MAX_POLL_BYTES:,} bytes."
            raise PollError(ErrorCode.CONTENT_TOO_LONG, expected) from None

    def gone(self) -> "asyncio.Task[None]":
        """A task that ends when the client no longer waits; to be asked for after the body was read."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._wait_until_gone())
        return self._watch

    def forget(self) -> None:
        """The request is over."""
        if self._watch is not None:
            self._watch.cancel()

    async def _wait_until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue


async def _answer(scope: Mapping[str, Any], client: _Client) -> _Answer:
    """What to answer, be it a refusal. Raises ClientGone."""
    if scope["method"] != "POST":
        return _refuse(405, "method_not_allowed", "Expected POST.", headers=((b"allow", b"POST"),))
    try:
        check_address(scope)
        credential = read_credential(scope)
        polls = get_gateway_process().polls
        known = polls.knows(credential)
        if not known:  # before its body is read: a stranger is to cost as little as may be
            await count_connection(scope, credential)
        request = decode_poll_request(await client.read_body(scope))
        connection = await polls.find_or_open(scope, credential, request.last_poll, counted=not known)
        return await _poll(connection, request, client)
    except PollError as error:
        status = 413 if error.code is ErrorCode.CONTENT_TOO_LONG else 400
        return _refuse(status, error.code.value, error.message)
    except Refused as refused:
        count_close(refused.reason)
        return _close_answer(refused.reason)
    except ClientGone:
        raise
    except Exception:
        # Valkey or the users' database is down: the client tries again as after a restart.
        logger.warning("poll failed", exc_info=True)
        return _close_answer(CloseReason.RESTARTING)


async def _poll(connection: PollConnection, request: PollRequest, client: _Client) -> _Answer:
    """Hand the poll's frames on and wait for those of its answer. Raises ClientGone."""
    if connection.is_busy:
        return _refuse(429, ErrorCode.RATE_LIMITED.value, "Too many frames; send these again later.", headers=_SOON)
    if not await connection.handle(request.frames) and connection.answers.close_reason is CloseReason.MOVED:
        return _refuse(503, "moved", "Another poll of yours is at another server: send these again.", headers=_SOON)
    connection.note_poll(request.last_poll)
    if not await connection.wait_until_due(request.wait_seconds, client.gone()):
        if client.gone().done():
            raise ClientGone
        # Not the mark of the last answer, which may be on its way still, or never come.
        return _Answer(status=200, body=encode_poll_answer([], request.last_poll or str(connection.last_mark)))
    frames, mark = connection.answer()
    reason = connection.answers.close_reason
    if reason is not None and reason is not CloseReason.MOVED:
        return _close_answer(reason, frames)
    return _Answer(status=200, body=encode_poll_answer(frames, str(mark)), connection=connection)


def _close_answer(reason: CloseReason, frames: Sequence[str] = ()) -> _Answer:
    status, headers = _STATUS_OF_CLOSE[reason.code]
    return _refuse(status, reason.name.lower(), reason.text, close_code=reason.code, frames=frames, headers=headers)


def _refuse(
    status: int,
    code: str,
    message: str,
    *,
    close_code: int | None = None,
    frames: Sequence[str] = (),
    headers: Headers = (),
) -> _Answer:
    return _Answer(status=status, body=encode_poll_refusal(code, message, close_code, frames), headers=headers)


async def _respond(send: Send, answer: _Answer, client: _Client) -> None:
    """Write a response; frames that its client is seen not to take come again with its next poll."""
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [*_PRIVATE, *answer.headers, length]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    if answer.connection is not None:
        # Waits until most of a long body is written; only then it shows whether the client is still there.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await asyncio.sleep(0)
        if client.gone().done():
            answer.connection.answers.note_lost()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
