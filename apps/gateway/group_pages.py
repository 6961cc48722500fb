"""Pages of large groups for members who poll: read together, from memory and the cache, whoever asks at the moment."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from apps.gateway.open_groups import learn
from apps.gateway.sessions import KnownSessions
from apps.groups.facts import member_key
from apps.groups.polled_messages import Page, PageRequest, read_pages

if TYPE_CHECKING:
    from apps.ingest.permissions import AccountDirectory

logger = logging.getLogger(__name__)

MAX_WAITING = 5_000
BATCH = 500
FILL_SECONDS = 2.0
FILL_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePoll:
    """What somebody asks for: what comes ``after`` a sequence, or without one (0) what was written since a time."""

    digest: str
    group_id: str
    after: int
    since_ms: int
    limit: int


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A poll that is not answered yet; ``fill_until`` says how long it waits for somebody else's fill, once it does."""

    poll: PagePoll
    answer: asyncio.Future[list[str] | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    fill_until: float | None = None


class GroupPageReader:
    """One task reads for all polls that wait; None as an answer means that Django is to be asked."""

    def __init__(self, sessions: KnownSessions, directory: "AccountDirectory") -> None:
        self._sessions = sessions
        self._directory = directory
        self._waiting: list[_Waiting] = []
        self._filling: dict[str, float] = {}
        self._wake = asyncio.Event()

    async def read(self, poll: PagePoll) -> list[str] | None:
        """Messages as JSON, one more than the limit where more follow; None where that is not for the cache to say."""
        if len(self._waiting) >= MAX_WAITING:
            return None
        waiting = _Waiting(poll=poll)
        self._ask(waiting)
        return await waiting.answer

    async def run(self) -> None:
        """Read, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                try:
                    pages: Sequence[Page | None] = await self._read_batch([one.poll for one in batch])
                except Exception:
                    logger.warning("%d pages of groups were not read here", len(batch), exc_info=True)
                    pages = [None] * len(batch)
                for waiting, page in zip(batch, pages, strict=True):
                    if not waiting.answer.done():
                        self._settle(waiting, page)

    def _ask(self, waiting: _Waiting) -> None:
        if not waiting.answer.done():
            self._waiting.append(waiting)
            self._wake.set()

    def _settle(self, waiting: _Waiting, page: Page | None) -> None:
        """Of a group that the cache does not have, one poll lets Django fill it, and the others wait a moment."""
        if page is not None and page.state == "miss" and self._waits_for_fill(waiting):
            asyncio.get_running_loop().call_later(FILL_LOOK_SECONDS, self._ask, waiting)
            return
        waiting.answer.set_result(list(page.texts) if page is not None and page.state == "page" else None)

    def _waits_for_fill(self, waiting: _Waiting) -> bool:
        """Once: whoever has waited in vain asks Django, beside those who wait for another fill by now."""
        now, group_id = time.monotonic(), waiting.poll.group_id
        if waiting.fill_until is None:
            waiting.fill_until = self._filling.get(group_id, now)
        if now < waiting.fill_until:
            return True
        self._filling = {one: until for one, until in self._filling.items() if until > now}
        self._filling.setdefault(group_id, now + FILL_SECONDS)
        return False

    async def _read_batch(self, polls: Sequence[PagePoll]) -> list[Page | None]:
        """A page for each; None for whoever may have none, or is not known."""
        identities = await self._sessions.find([poll.digest for poll in polls])
        users = [identities[poll.digest].user_id if poll.digest in identities else "" for poll in polls]
        pairs = [(poll.group_id, user_id) for poll, user_id in zip(polls, users, strict=True) if user_id]
        await learn(self._directory, [name for pair in pairs for name in (pair[0], member_key(*pair))])
        starts = [self._find_start(poll.group_id, user_id) for poll, user_id in zip(polls, users, strict=True)]
        allowed = [(poll, start) for poll, start in zip(polls, starts, strict=True) if start is not None]
        pages = iter(await read_pages([_to_request(poll, start) for poll, start in allowed]))
        return [None if start is None else next(pages) for start in starts]

    def _find_start(self, group_id: str, user_id: str) -> int | None:
        """Where the user's membership begins; None for whoever is no member."""
        group, member = self._directory.find_group(group_id), self._directory.find_member(group_id, user_id)
        is_member = group is not None and group.exists and member is not None and member.exists
        return member.from_sequence if is_member and member is not None else None


def _to_request(poll: PagePoll, start: int) -> PageRequest:
    """What was written before the member came is not theirs: neither by a time nor by a cursor of another group."""
    return PageRequest(
        group_id=poll.group_id,
        after=max(poll.after, start),
        since_ms=0 if poll.after else poll.since_ms,
        limit=poll.limit + 1,
    )
