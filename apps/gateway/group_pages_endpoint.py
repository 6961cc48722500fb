"""``GET /api/chat/{group_id}``: what a thousand members of a large group ask every two seconds.

Whatever is not the plain case (a refusal, a page that the cache does not have, a query that is wrong, another origin)
goes on to Django, which says the same and more slowly.
"""

import re
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl

import orjson

from apps.gateway.authentication import Refused, read_credential
from apps.gateway.entrance import check_address
from apps.gateway.group_pages import PagePoll
from apps.gateway.process import get_gateway_process

Application = Callable[[Any, Any, Any], Awaitable[None]]

PATH = re.compile(r"/api/chat/(grp-[0-9a-f]{12})\Z")
PAGE_SIZE = 100
POLLS_PER_MINUTE = 120
"""Of one session that are answered here: what is above goes to Django, which counts all calls of a user."""

_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"private, no-store"),
    (b"vary", b"Accept, Cookie"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


class GroupPagesEndpoint:
    """ASGI: answers the plain case, and hands everything else to another application."""

    def __init__(self, everything_else: Application) -> None:
        self._everything_else = everything_else
        self._polls: dict[str, int] = {}
        self._minute = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        poll = self._find_poll(scope)
        texts = await get_gateway_process().group_pages.read(poll) if poll is not None else None
        if poll is None or texts is None:
            await self._everything_else(scope, receive, send)
            return
        body = _build(texts, poll.limit)
        etag = f'"{blake2b(body, digest_size=16).hexdigest()}"'.encode()
        known = dict(scope["headers"]).get(b"if-none-match") == etag
        body = b"" if known else body
        headers = [*_HEADERS, (b"etag", etag), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 304 if known else 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _find_poll(self, scope: Mapping[str, Any]) -> PagePoll | None:
        named = PATH.match(scope["path"])
        if named is None or scope["method"] != "GET" or b"origin" in dict(scope["headers"]):
            return None
        try:
            check_address(scope)
            # A page of another site may make a browser ask, but not read the answer: no Origin is asked for.
            digest = read_credential(scope).digest
        except Refused:
            return None
        return _read_query(scope["query_string"], digest, named[1]) if self._count(digest) else None

    def _count(self, digest: str) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._polls = minute, {}
        self._polls[digest] = self._polls.get(digest, 0) + 1
        return self._polls[digest] <= POLLS_PER_MINUTE


def _read_query(query_string: bytes, digest: str, group_id: str) -> PagePoll | None:
    """What is asked for; None where the query is not plain."""
    query = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    if not set(query) <= {"timestamp", "limit", "cursor"}:
        return None
    after = _read_cursor(query["cursor"]) if "cursor" in query else 0
    since_ms, limit = _to_number(query.get("timestamp", "0")), _to_number(query.get("limit", str(PAGE_SIZE)))
    if after is None or since_ms is None or not limit:
        return None
    return PagePoll(digest=digest, group_id=group_id, after=after, since_ms=since_ms, limit=min(limit, PAGE_SIZE))


def _read_cursor(cursor: str) -> int | None:
    try:
        return _to_number(b64decode(cursor, altchars=b"-_", validate=True).decode())
    except ValueError:
        return None


def _to_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _build(texts: list[str], limit: int) -> bytes:
    cursor = "null"
    if len(texts) > limit:
        texts = texts[:limit]
        last = orjson.loads(texts[-1])["sequence"]
        cursor = f'"{urlsafe_b64encode(str(last).encode()).decode()}"'
    return f'{{"results":[{",".join(texts)}],"next":{cursor}}}'.encode()
