"""The cache of groups that are polled: their newest messages as JSON, by sequence. The Message DB has them all.

A relay adds what it stored, and who finds nothing here fills it. Every call raises ValkeyError.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.conf import settings

from apps.protocol.limits import HISTORY_KEPT_MS
from apps.valkey.async_keyspace import async_keyspace
from apps.valkey.scripts import Script
from apps.valkey.sync_keyspace import sync_keyspace

_LUA = Path(__file__).parent / "lua"
_ADD = Script(_LUA / "add_polled.lua")
_READ = Script(_LUA / "read_polled.lua")
_FILL = Script(_LUA / "fill_polled.lua")
_DROP = Script(_LUA / "drop_polled.lua")

KEPT = 1_000
"""Messages of one group."""

SECONDS = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledMessage:
    """A message of a group that is polled; ``text`` is it as JSON, as REST gives it."""

    group_id: str
    sequence: int
    timestamp_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """What comes after a sequence, and from a time (ms) on: what is as old as that may come again. 0: at any time."""

    group_id: str
    after: int
    since_ms: int
    limit: int

    def to_item(self) -> tuple[str, int, int, int]:
        """Its arguments of the script."""
        return self.group_id, self.after, self.since_ms, self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Messages as JSON, oldest first, where ``state`` is "page"; else the Message DB has to be asked. ``drops``, with
    "miss", is for `fill`: which run of the server that was, and how often the cache was dropped lately.
    """

    state: Literal["page", "miss", "older"]
    texts: tuple[str, ...] = ()
    drops: str = ""


def add_polled(messages: Sequence[PolledMessage]) -> None:
    """Note messages that were stored, of each group in order. May be repeated."""
    items = [(one.group_id, one.sequence, one.timestamp_ms, one.text) for one in messages]
    sync_keyspace(settings.INBOX_REDIS_URL).run_items(_ADD, (KEPT, SECONDS), items)


def read_page(request: PageRequest) -> Page:
    """A page."""
    [answer] = sync_keyspace(settings.INBOX_REDIS_URL).run_items(_READ, (_kept_since_ms(),), [request.to_item()])
    return _to_page(answer)


async def read_pages(requests: Sequence[PageRequest]) -> list[Page]:
    """Many pages, on the event loop."""
    keyspace = async_keyspace(settings.INBOX_REDIS_URL)
    items = [one.to_item() for one in requests]
    return [_to_page(answer) for answer in await keyspace.run_items(_READ, (_kept_since_ms(),), items)]


def fill(group_id: str, messages: Sequence[PolledMessage], *, whole: bool, drops: str = "") -> bool:
    """Put what the Message DB has in the cache, oldest first; ``whole`` where it has nothing older. False where
    something newer was stored meanwhile, or where the cache was dropped or lost since it had those ``drops``.
    """
    newest = messages[-1].sequence if messages else 0
    arguments: list[str | int] = [group_id, int(whole), SECONDS, newest, drops, _kept_since_ms()]
    for one in messages:
        arguments += [one.sequence, one.timestamp_ms, one.text]
    return bool(sync_keyspace(settings.INBOX_REDIS_URL).run(_FILL, group_id, arguments))


def drop(group_ids: Sequence[str]) -> None:
    """Forget what is cached of these groups: the Message DB has lost some of it. Whoever has read it there before does
    not put it back.
    """
    sync_keyspace(settings.INBOX_REDIS_URL).run_items(_DROP, (SECONDS,), [(group_id,) for group_id in group_ids])


def _kept_since_ms() -> int:
    """What is older is kept nowhere, however often it is polled."""
    return int(time.time() * 1000) - HISTORY_KEPT_MS


def _to_page(answer: Sequence[Any]) -> Page:
    state, *texts = answer
    if state == "miss":
        return Page(state=state, drops=texts[0])
    return Page(state=state, texts=tuple(texts))
