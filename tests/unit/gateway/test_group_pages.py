"""Of a group that the cache does not have one member's poll goes to Django and fills it: who waits, and how long."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from apps.gateway import group_pages
from apps.gateway.group_pages import GroupPageReader, PagePoll
from apps.groups.polled_messages import Page, PageRequest

GROUP = "grp-0123456789ab"
MISS, OLDER, PAGE = Page(state="miss"), Page(state="older"), Page(state="page", texts=("{}",))


class Sessions:
    """Everybody is known whose credential is not "anonymous"."""

    async def find(self, digests: Sequence[str]) -> dict[str, Any]:
        return {one: SimpleNamespace(user_id=one) for one in digests if one != "anonymous"}


class Directory:
    """Whoever is not "stranger" is a member since the message 5."""

    def unknown(self, names: Sequence[str]) -> list[str]:
        return []

    def find_group(self, group_id: str) -> Any:
        return SimpleNamespace(exists=True)

    def find_member(self, group_id: str, user_id: str) -> Any:
        return SimpleNamespace(exists=user_id not in ("", "stranger"), from_sequence=5)


class Cache:
    """Says the same to everybody."""

    def __init__(self) -> None:
        self.page = MISS
        self.asked: list[PageRequest] = []

    async def read_pages(self, requests: Sequence[PageRequest]) -> list[Page]:
        self.asked += requests
        return [self.page] * len(requests)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Cache:
    cache = Cache()
    monkeypatch.setattr(group_pages, "read_pages", cache.read_pages)
    monkeypatch.setattr(group_pages, "FILL_LOOK_SECONDS", 0.01)
    return cache


@pytest.fixture
async def reader(cache: Cache) -> AsyncIterator[GroupPageReader]:
    """Give one that reads."""
    reader = GroupPageReader(Sessions(), Directory())  # type: ignore[arg-type]
    task = asyncio.create_task(reader.run())
    yield reader
    task.cancel()


def poll(digest: str = "bob", after: int = 0, since_ms: int = 0) -> PagePoll:
    return PagePoll(digest=digest, group_id=GROUP, after=after, since_ms=since_ms, limit=9)


async def ask(reader: GroupPageReader, *polls: PagePoll) -> list[list[str] | None]:
    return await asyncio.gather(*map(reader.read, polls))


async def test_what_is_older_than_the_cache_goes_to_django_at_once(reader: GroupPageReader, cache: Cache) -> None:
    cache.page = OLDER
    assert await ask(reader, *[poll(after=one) for one in range(10, 15)]) == [None] * 5
    assert len(cache.asked) == 5


@pytest.mark.parametrize("digest", ["anonymous", "stranger"])
async def test_who_may_have_nothing_waits_for_no_fill_and_lets_nobody_wait(
    reader: GroupPageReader, cache: Cache, monkeypatch: pytest.MonkeyPatch, digest: str
) -> None:
    monkeypatch.setattr(group_pages, "FILL_SECONDS", 60.0)
    async with asyncio.timeout(5):
        assert await ask(reader, poll(digest)) == [None]
        assert await ask(reader, poll()) == [None], "who is the first to fill"
        assert await ask(reader, poll(digest)) == [None]


async def test_of_a_group_that_is_not_cached_one_fills_and_the_others_wait(
    reader: GroupPageReader, cache: Cache
) -> None:
    assert await ask(reader, poll()) == [None]
    others = asyncio.create_task(ask(reader, poll("cyd"), poll("dee")))
    await asyncio.sleep(0.05)
    assert not others.done()
    cache.page = PAGE
    assert await others == [["{}"], ["{}"]]


async def test_who_waits_in_vain_waits_once(
    reader: GroupPageReader, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_pages, "FILL_SECONDS", 0.3)
    begun = time.monotonic()
    assert await ask(reader, *[poll(f"usr-{one}") for one in range(10)]) == [None] * 10
    assert 0.3 <= time.monotonic() - begun < 0.6


@pytest.mark.parametrize(
    ("asked", "after", "since_ms"),
    [(poll(), 5, 0), (poll(since_ms=7_000), 5, 7_000), (poll(after=3), 5, 0), (poll(after=9, since_ms=7_000), 9, 0)],
)
async def test_what_was_written_before_a_member_came_is_not_asked_for(
    reader: GroupPageReader, cache: Cache, asked: PagePoll, after: int, since_ms: int
) -> None:
    cache.page = PAGE
    await ask(reader, asked)
    assert cache.asked == [PageRequest(group_id=GROUP, after=after, since_ms=since_ms, limit=10)]
