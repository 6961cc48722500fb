"""Pages of large groups for members who poll: read together, from memory and the cache, whoever asks at the moment."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

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
    """What somebody asks for; ``after`` 0: by time, or from the beginning where there is none."""

    digest: str
    group_id: str
    after: int
    since_ms: int
    limit: int


class GroupPageReader:
    """One task reads for all polls that wait; None as an answer means that Django is to be asked."""

    def __init__(self, sessions: KnownSessions, directory: "AccountDirectory") -> None:
        self._sessions = sessions
        self._directory = directory
        self._waiting: list[tuple[PagePoll, asyncio.Future[list[str] | None]]] = []
        self._filling: dict[str, float] = {}
        self._wake = asyncio.Event()

    async def read(self, poll: PagePoll) -> list[str] | None:
        """Messages as JSON, one more than the limit where more follow; None where that is not for the cache to say."""
        if len(self._waiting) >= MAX_WAITING:
            return None
        future: asyncio.Future[list[str] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((poll, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Read, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                try:
                    answers: Sequence[list[str] | None] = await self._read_batch([poll for poll, _ in batch])
                except Exception:
                    logger.warning("%d pages of groups were not read here", len(batch), exc_info=True)
                    answers = [None] * len(batch)
                for (poll, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        self._settle(poll, future, answer)

    def _settle(self, poll: PagePoll, future: "asyncio.Future[list[str] | None]", answer: list[str] | None) -> None:
        """Of a group that the cache does not have, one poll lets Django fill it, and the others wait a moment."""
        now = time.monotonic()
        if answer is None and self._filling.get(poll.group_id, 0.0) > now:
            asyncio.get_running_loop().call_later(FILL_LOOK_SECONDS, self._ask_again, poll, future)
            return
        if answer is None:
            self._filling = {one: until for one, until in self._filling.items() if until > now}
            self._filling[poll.group_id] = now + FILL_SECONDS
        future.set_result(answer)

    def _ask_again(self, poll: PagePoll, future: "asyncio.Future[list[str] | None]") -> None:
        if not future.done():
            self._waiting.append((poll, future))
            self._wake.set()

    async def _read_batch(self, polls: Sequence[PagePoll]) -> list[list[str] | None]:
        identities = await self._sessions.find([poll.digest for poll in polls])
        users = [identities[poll.digest].user_id if poll.digest in identities else "" for poll in polls]
        pairs = [(poll.group_id, user_id) for poll, user_id in zip(polls, users, strict=True) if user_id]
        await learn(self._directory, [name for pair in pairs for name in (pair[0], member_key(*pair))])
        starts = [self._find_start(poll.group_id, user_id) for poll, user_id in zip(polls, users, strict=True)]
        allowed = [(poll, start) for poll, start in zip(polls, starts, strict=True) if start is not None]
        pages = iter(await read_pages([_to_request(poll, start) for poll, start in allowed]))
        return [None if start is None else _to_texts(next(pages), start) for start in starts]

    def _find_start(self, group_id: str, user_id: str) -> int | None:
        """Where the user's membership begins; None for whoever is no member."""
        group, member = self._directory.find_group(group_id), self._directory.find_member(group_id, user_id)
        is_member = group is not None and group.exists and member is not None and member.exists
        return member.from_sequence if is_member and member is not None else None


def _to_request(poll: PagePoll, start: int) -> PageRequest:
    by_time = poll.since_ms and not poll.after
    return PageRequest(
        group_id=poll.group_id,
        after=None if by_time else max(poll.after, start),
        since_ms=poll.since_ms,
        limit=poll.limit + 1,
    )


def _to_texts(page: Page, start: int) -> list[str] | None:
    """What was written before the member came is not theirs."""
    if page.state != "page":
        return None
    return [text for text in page.texts if orjson.loads(text)["sequence"] > start]
