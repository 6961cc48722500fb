"""Admission of a batch: has this been sent before, and is its sender within the rate?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.conf import settings

from apps.groups.keys import slow_key
from apps.ingest.keys import dedup_key, limited_key, throttle_key
from apps.protocol.limits import DEDUP_SECONDS
from apps.valkey.async_keyspace import async_keyspace
from apps.valkey.scripts import Script

_ADMIT = Script(Path(__file__).parent / "lua" / "admit.lua")

BURST_FACTOR = 5
"""The global throttle begins at so many times the steady state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message that asks for admission, with the id and time it gets if it is new.

    Without a message id it is only looked up: it may not be sent now, but a retry of one that was sent is still
    answered.
    """

    user_id: str
    device_id: str
    client_id: str
    digest: str
    message_id: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A message whose first append became durable: retries are answered from this."""

    user_id: str
    device_id: str
    client_id: str
    digest: str
    message_id: str
    timestamp_ms: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a candidate. For ``pending`` and ``done``: the id and time that stand; ``sequence`` for ``done``
    only.
    """

    outcome: Literal["new", "pending", "done", "conflict", "limited"]
    message_id: str = ""
    timestamp_ms: int = 0
    sequence: int = 0
    retry_after_ms: int = 0


async def admit(candidates: Sequence[Candidate], done: Sequence[Done]) -> list[Verdict]:
    """Admit a batch, in order, and remember what the last one made durable.

    Raises ValkeyError; then some may stand as pending, and a retry of such a one is told the id that it has.
    """
    head = (settings.RATE_LIMIT_PER_MINUTE, DEDUP_SECONDS)
    items = [
        (one.user_id, _key_of(one), f"d {one.message_id} {one.timestamp_ms} {one.sequence} {one.digest}", "", "")
        for one in done
    ] + [(one.user_id, _key_of(one), one.digest, one.message_id, str(one.timestamp_ms)) for one in candidates]
    answer: list[list[Any]] = await async_keyspace(settings.INBOX_REDIS_URL).run_items(_ADMIT, head, items)
    return [_to_verdict(*verdict) for verdict in answer[len(done) :]]


def _key_of(one: Candidate | Done) -> str:
    return dedup_key(one.user_id, one.device_id, one.client_id)


def _to_verdict(outcome: str, *rest: Any) -> Verdict:
    match outcome:
        case "pending":
            return Verdict(outcome="pending", message_id=rest[0], timestamp_ms=int(rest[1]))
        case "done":
            return Verdict(outcome="done", message_id=rest[0], timestamp_ms=int(rest[1]), sequence=int(rest[2]))
        case "limited":
            return Verdict(outcome="limited", retry_after_ms=int(rest[0]))
        case "conflict":
            return Verdict(outcome="conflict")
        case _:
            return Verdict(outcome="new")


async def count_for_limits(messages: Mapping[str, int], limits: Mapping[str, int], minute: int) -> dict[str, int]:
    """How many of their ``messages`` these users, who have limits of their own, may still send in this minute.

    Raises ValkeyError.
    """
    keys = {user_id: limited_key(user_id, minute) for user_id in messages}
    commands = [
        command
        for user_id, count in messages.items()
        for command in (("INCRBY", keys[user_id], count), ("EXPIRE", keys[user_id], 120))
    ]
    totals = (await async_keyspace(settings.INBOX_REDIS_URL).execute_all(commands))[::2]
    return {
        user_id: max(0, min(count, limits[user_id] - (int(total) - count)))
        for (user_id, count), total in zip(messages.items(), totals, strict=True)
    }


async def count_for_throttle(messages: int, second: int) -> int:
    """How many of ``messages`` the whole site may still take in this second. Raises ValkeyError."""
    limit = settings.STEADY_MESSAGES_PER_SECOND * BURST_FACTOR
    key = throttle_key(second)
    total, _ = await async_keyspace(settings.INBOX_REDIS_URL).execute_all(
        [("INCRBY", key, messages), ("EXPIRE", key, 2)]
    )
    return max(0, min(messages, limit - (int(total) - messages)))


async def take_turns(writers: Sequence[tuple[str, str, int]]) -> list[int]:
    """For each (group, user, seconds between messages): 0 for who may write now, else in how many ms. Raises
    ValkeyError.
    """
    keyspace = async_keyspace(settings.INBOX_REDIS_URL)
    keys = [slow_key(group_id, user_id) for group_id, user_id, _ in writers]
    taken = await keyspace.execute_all(
        [("SET", key, "1", "EX", seconds, "NX") for key, (_, _, seconds) in zip(keys, writers, strict=True)]
    )
    waiting = [key for key, turn in zip(keys, taken, strict=True) if not turn]
    left = dict(zip(waiting, await keyspace.execute_all([("PTTL", key) for key in waiting]), strict=True))
    return [0 if turn else max(1, int(left[key])) for key, turn in zip(keys, taken, strict=True)]


async def give_back_turns(writers: Sequence[tuple[str, str]]) -> None:
    """These (group, user) took a turn and did not write. Raises ValkeyError."""
    if writers:
        keys = [slow_key(group_id, user_id) for group_id, user_id in writers]
        await async_keyspace(settings.INBOX_REDIS_URL).execute_all([("DEL", key) for key in keys])
