"""May this sender write to this receiver? Answered from account facts in this process's memory.

Facts come from Valkey and, on a miss, from the users' database. The control stream says when to forget them. Valkey is
a cache: after a crash, or when it was away while something changed, it may be older than the database. So what lets a
message through is checked again by the relay, and what would refuse it is looked up in the database first.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from django.conf import settings

from apps.accounts.facts import FACTS_KEY, AccountFacts, cache_facts, decode_facts
from apps.protocol.client_frames import SendMessage
from apps.protocol.errors import ErrorCode, FrameError
from apps.valkey.async_keyspace import async_keyspace

MAX_REMEMBERED = 100_000
"""Accounts whose facts one process remembers; then it starts anew."""

CONFIRMED_SECONDS = 5.0
"""For so long what the database said of an account may refuse messages; also a bound on what refusals cost it."""

RunInThread = Callable[[Callable[[], dict[str, AccountFacts]]], Awaitable[dict[str, AccountFacts]]]


class AccountDirectory:
    """The account facts that this process knows. ``run_in_thread`` runs database work off the event loop."""

    def __init__(self, run_in_thread: RunInThread) -> None:
        self._run_in_thread = run_in_thread
        self._known: dict[str, AccountFacts] = {}
        self._confirmed_until: dict[str, float] = {}
        self._loading: dict[object, set[str]] = {}

    def forget(self, user_ids: Iterable[str]) -> None:
        """Drop what is remembered of these accounts, and what is being loaded: it may be older than the change."""
        for user_id in user_ids:
            self._known.pop(user_id, None)
            self._confirmed_until.pop(user_id, None)
            for loading in self._loading.values():
                loading.discard(user_id)

    def forget_all(self) -> None:
        """Drop everything: some changes may have been missed."""
        self._known.clear()
        self._confirmed_until.clear()
        for loading in self._loading.values():
            loading.clear()

    def find(self, user_id: str) -> AccountFacts | None:
        """What is remembered of an account."""
        return self._known.get(user_id)

    def unknown(self, user_ids: Iterable[str]) -> list[str]:
        """Those of whom nothing is remembered, each once."""
        return [user_id for user_id in dict.fromkeys(user_ids) if user_id not in self._known]

    def is_confirmed(self, user_id: str) -> bool:
        """Whether the database said just now what is remembered of an account."""
        return self._confirmed_until.get(user_id, 0.0) > time.monotonic()

    async def learn_from_cache(self, user_ids: Sequence[str]) -> None:
        """Look these up in Valkey; whom it does not have stays unknown. Raises ValkeyError."""
        await self._learn(user_ids, _read_cached)

    async def learn_from_database(self, user_ids: Sequence[str]) -> None:
        """Look these up in the users' database, off the event loop. Raises what the database or Valkey raises."""
        learnt = await self._learn(user_ids, lambda ids: self._run_in_thread(lambda: cache_facts(ids)))
        self._confirmed_until |= dict.fromkeys(learnt, time.monotonic() + CONFIRMED_SECONDS)

    async def _learn(
        self, user_ids: Sequence[str], load: Callable[[Sequence[str]], Awaitable[dict[str, AccountFacts]]]
    ) -> list[str]:
        """Whose facts were loaded, and have not changed meanwhile."""
        key, loading = object(), set(user_ids)
        self._loading[key] = loading
        try:
            facts = await load(user_ids)
        finally:
            del self._loading[key]
        learnt = {user_id: each for user_id, each in facts.items() if user_id in loading}
        self._remember(learnt)
        return list(learnt)

    def _remember(self, facts: dict[str, AccountFacts]) -> None:
        if len(self._known) + len(facts) > MAX_REMEMBERED:
            self._known.clear()
            self._confirmed_until.clear()
        # An account that does not exist may be made at any moment, and ids are cheap to invent: never remembered for
        # long.
        self._known.update(facts)
        missing = [user_id for user_id, each in facts.items() if not each.exists]
        if missing:
            asyncio.get_running_loop().call_later(5.0, self.forget, missing)


async def _read_cached(user_ids: Sequence[str]) -> dict[str, AccountFacts]:
    keyspace = async_keyspace(settings.INBOX_REDIS_URL)
    texts = await keyspace.get_all([FACTS_KEY.format(user_id=one) for one in user_ids])
    return {user_id: decode_facts(text) for user_id, text in zip(user_ids, texts, strict=True) if text is not None}


def find_doubtful(sender_id: str, frame: SendMessage, directory: AccountDirectory) -> list[str]:
    """The accounts to look up in the database before a message is refused on what is remembered of both."""
    receiver_id = frame.receiver_id
    if receiver_id is None or receiver_id == sender_id or check_may_send(sender_id, frame, directory) is None:
        return []
    accounts = (sender_id, receiver_id)
    return [] if directory.unknown(accounts) else [one for one in accounts if not directory.is_confirmed(one)]


def check_may_send(sender_id: str, frame: SendMessage, directory: AccountDirectory) -> FrameError | None:
    """The error for a message that may not be sent, or None. Both accounts must be known to the directory."""
    if frame.group_id is not None:
        return FrameError(ErrorCode.NOT_A_MEMBER, "You are not a member of this group.")
    if frame.receiver_id == sender_id:
        return FrameError(
            ErrorCode.INVALID_FIELD, "receiver_id: expected another user, not yourself.", field="receiver_id"
        )
    sender, receiver = directory.find(sender_id), directory.find(str(frame.receiver_id))
    if receiver is None or not receiver.exists or receiver.suspended:
        return FrameError(ErrorCode.UNKNOWN_RECEIVER, "There is no such user.")
    if sender is None or not sender.exists or sender.suspended:
        return FrameError(ErrorCode.FORBIDDEN, "Your account may not send messages.")
    if sender_id in receiver.blocks:
        return FrameError(ErrorCode.FORBIDDEN, "This user does not take messages from you.")
    if frame.receiver_id in sender.blocks:
        return FrameError(ErrorCode.FORBIDDEN, "You have blocked this user.")
    return None
