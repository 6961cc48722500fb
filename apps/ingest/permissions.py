"""May this sender write to this receiver? Answered from account facts in this process's memory.

Facts come from Valkey and, on a miss, from the users' database. The control stream says when to forget them; the relay
checks again against the database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from django.conf import settings

from apps.accounts.facts import FACTS_KEY, AccountFacts, cache_facts, decode_facts
from apps.protocol.client_frames import SendMessage
from apps.protocol.errors import ErrorCode, FrameError
from apps.valkey.async_keyspace import async_keyspace

MAX_REMEMBERED = 100_000
"""Accounts whose facts one process remembers; then it starts anew."""

RunInThread = Callable[[Callable[[], dict[str, AccountFacts]]], Awaitable[dict[str, AccountFacts]]]


class AccountDirectory:
    """The account facts that this process knows. ``run_in_thread`` runs database work off the event loop."""

    def __init__(self, run_in_thread: RunInThread) -> None:
        self._run_in_thread = run_in_thread
        self._known: dict[str, AccountFacts] = {}
        self._loading: dict[object, set[str]] = {}

    def forget(self, user_ids: Iterable[str]) -> None:
        """Drop what is remembered of these accounts, and what is being loaded: it may be older than the change."""
        for user_id in user_ids:
            self._known.pop(user_id, None)
            for loading in self._loading.values():
                loading.discard(user_id)

    def forget_all(self) -> None:
        """Drop everything: some changes may have been missed."""
        self._known.clear()
        for loading in self._loading.values():
            loading.clear()

    def find(self, user_id: str) -> AccountFacts | None:
        """What is remembered of an account."""
        return self._known.get(user_id)

    def unknown(self, user_ids: Iterable[str]) -> list[str]:
        """Those of whom nothing is remembered, each once."""
        return [user_id for user_id in dict.fromkeys(user_ids) if user_id not in self._known]

    async def learn_from_cache(self, user_ids: Sequence[str]) -> None:
        """Look these up in Valkey; whom it does not have stays unknown. Raises ValkeyError."""
        await self._learn(user_ids, _read_cached)

    async def learn_from_database(self, user_ids: Sequence[str]) -> None:
        """Look these up in the users' database, off the event loop. Raises what the database or Valkey raises."""
        await self._learn(user_ids, lambda ids: self._run_in_thread(lambda: cache_facts(ids)))

    async def _learn(
        self, user_ids: Sequence[str], load: Callable[[Sequence[str]], Awaitable[dict[str, AccountFacts]]]
    ) -> None:
        key, loading = object(), set(user_ids)
        self._loading[key] = loading
        try:
            facts = await load(user_ids)
        finally:
            del self._loading[key]
        self._remember({user_id: each for user_id, each in facts.items() if user_id in loading})

    def _remember(self, facts: dict[str, AccountFacts]) -> None:
        if len(self._known) + len(facts) > MAX_REMEMBERED:
            self._known.clear()
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
