"""May this sender write to this receiver? Answered from account facts in this process's memory.

Facts come from Valkey and, on a miss, from the users' database. The control stream says when to forget them. Valkey is
a cache: after a crash, or when it was away while something changed, it may be older than the database. So what lets a
message through is checked again by the relay, and what would refuse it is looked up in the database first.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from django.conf import settings

from apps.accounts.facts import FACTS_KEY, AccountFacts, cache_facts, decode_facts
from apps.groups import facts as group_facts
from apps.groups.facts import GroupFacts, MemberFacts, member_key
from apps.groups.rules import may_write
from apps.protocol import ids
from apps.protocol.client_frames import SendMessage
from apps.protocol.errors import ErrorCode, FrameError
from apps.valkey.async_keyspace import async_keyspace

MAX_REMEMBERED = 100_000
"""Accounts whose facts one process remembers; then it starts anew."""

CONFIRMED_SECONDS = 5.0
"""For so long what the database said of an account may refuse messages; also a bound on what refusals cost it."""

MEMBERSHIP_SECONDS = 60.0
"""For so long a membership is believed without another look at Valkey: somebody may have been removed, and the control
stream not have said so.
"""

Facts = AccountFacts | GroupFacts | MemberFacts
RunInThread = Callable[[Callable[[], dict[str, Facts]]], Awaitable[dict[str, Facts]]]


class AccountDirectory:
    """The facts of accounts, groups and memberships that this process knows, by id (of a membership by
    ``member_key``). ``run_in_thread`` runs database work off the event loop.
    """

    def __init__(self, run_in_thread: RunInThread) -> None:
        self._run_in_thread = run_in_thread
        self._known: dict[str, Facts] = {}
        self._confirmed_until: dict[str, float] = {}
        self._believed_until: dict[str, float] = {}
        self._loading: dict[object, set[str]] = {}

    def forget(self, user_ids: Iterable[str]) -> None:
        """Drop what is remembered of these accounts, and what is being loaded: it may be older than the change."""
        for user_id in user_ids:
            self._known.pop(user_id, None)
            self._confirmed_until.pop(user_id, None)
            self._believed_until.pop(user_id, None)
            for loading in self._loading.values():
                loading.discard(user_id)

    def forget_all(self) -> None:
        """Drop everything: some changes may have been missed."""
        self._clear()
        for loading in self._loading.values():
            loading.clear()

    def _clear(self) -> None:
        self._known.clear()
        self._confirmed_until.clear()
        self._believed_until.clear()

    def find(self, user_id: str) -> AccountFacts | None:
        """What is remembered of an account."""
        facts = self._known.get(user_id)
        return facts if isinstance(facts, AccountFacts) else None

    def find_group(self, group_id: str) -> GroupFacts | None:
        """What is remembered of a group."""
        facts = self._known.get(group_id)
        return facts if isinstance(facts, GroupFacts) else None

    def find_member(self, group_id: str, user_id: str) -> MemberFacts | None:
        """What is remembered of a membership."""
        facts = self._known.get(member_key(group_id, user_id))
        return facts if isinstance(facts, MemberFacts) else None

    def unknown(self, user_ids: Iterable[str]) -> list[str]:
        """Those of whom nothing is remembered, each once; and memberships that were learnt too long ago, which are
        remembered still.
        """
        now = time.monotonic()
        return [
            user_id
            for user_id in dict.fromkeys(user_ids)
            if user_id not in self._known or self._believed_until.get(user_id, math.inf) <= now
        ]

    def is_confirmed(self, user_id: str) -> bool:
        """Whether the database said just now what is remembered of an account."""
        return self._confirmed_until.get(user_id, 0.0) > time.monotonic()

    async def learn_from_cache(self, user_ids: Sequence[str]) -> None:
        """Look these up in Valkey; whom it does not have stays unknown. Raises ValkeyError."""
        await self._learn(user_ids, _read_cached)

    async def learn_from_database(self, user_ids: Sequence[str]) -> None:
        """Look these up in the users' database, off the event loop. Raises what the database or Valkey raises."""
        learnt = await self._learn(user_ids, lambda names: self._run_in_thread(lambda: _cache_facts(names)))
        self._confirmed_until |= dict.fromkeys(learnt, time.monotonic() + CONFIRMED_SECONDS)

    async def _learn(
        self, user_ids: Sequence[str], load: Callable[[Sequence[str]], Awaitable[dict[str, Facts]]]
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

    def _remember(self, facts: Mapping[str, Facts]) -> None:
        if len(self._known) + len(facts) > MAX_REMEMBERED:
            self._clear()
        # An account that does not exist may be made at any moment, and ids are cheap to invent: never remembered for
        # long.
        self._known.update(facts)
        memberships = [name for name, each in facts.items() if isinstance(each, MemberFacts)]
        self._believed_until |= dict.fromkeys(memberships, time.monotonic() + MEMBERSHIP_SECONDS)
        missing = [user_id for user_id, each in facts.items() if not each.exists]
        if missing:
            asyncio.get_running_loop().call_later(5.0, self.forget, missing)


def _cache_facts(names: Sequence[str]) -> dict[str, Facts]:
    accounts = [name for name in names if ids.is_user_id(name)]
    others = [name for name in names if not ids.is_user_id(name)]
    found: dict[str, Facts] = {}
    if accounts:
        found |= cache_facts(accounts)
    if others:
        found |= group_facts.cache_facts(others)
    return found


async def _read_cached(names: Sequence[str]) -> dict[str, Facts]:
    keyspace = async_keyspace(settings.INBOX_REDIS_URL)
    texts = await keyspace.get_all([FACTS_KEY.format(user_id=one) for one in names])
    return {
        name: decode_facts(text) if ids.is_user_id(name) else group_facts.decode_facts(text)
        for name, text in zip(names, texts, strict=True)
        if text is not None
    }


def list_parties(sender_id: str, frame: SendMessage) -> list[str]:
    """The names of all facts by which a message is judged: of its sender, and its receiver or group and membership."""
    if frame.group_id is not None:
        return [sender_id, frame.group_id, member_key(frame.group_id, sender_id)]
    return [sender_id] if frame.receiver_id is None else [sender_id, frame.receiver_id]


def find_doubtful(sender_id: str, frame: SendMessage, directory: AccountDirectory) -> list[str]:
    """The facts to look up in the database before a message is refused on what is remembered of them."""
    if frame.receiver_id == sender_id or check_may_send(sender_id, frame, directory) is None:
        return []
    parties = list_parties(sender_id, frame)
    return [] if directory.unknown(parties) else [one for one in parties if not directory.is_confirmed(one)]


def check_may_send(sender_id: str, frame: SendMessage, directory: AccountDirectory) -> FrameError | None:
    """The error for a message that may not be sent, or None. All parties must be known to the directory."""
    if frame.group_id is not None:
        return _check_group(sender_id, frame.group_id, directory)
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


def _check_group(sender_id: str, group_id: str, directory: AccountDirectory) -> FrameError | None:
    group, member = directory.find_group(group_id), directory.find_member(group_id, sender_id)
    sender = directory.find(sender_id)
    if group is None or not group.exists or member is None or not member.exists:
        return FrameError(ErrorCode.NOT_A_MEMBER, "You are not a member of this group.")
    if sender is None or not sender.exists or sender.suspended:
        return FrameError(ErrorCode.FORBIDDEN, "Your account may not send messages.")
    if group.frozen:
        return FrameError(ErrorCode.FORBIDDEN, "Moderators have frozen this group.")
    if not may_write(member.role, only_admins_write=group.only_admins_write):
        return FrameError(ErrorCode.FORBIDDEN, "Only admins may write in this group.")
    return None
