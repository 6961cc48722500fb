"""Which groups' messages are to be counted, and when: at once, but of one group at most once a second."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from apps.delivery.group_keys import CONFIRMED_KEY, DUE_KEY, counting_key, telling_key
from apps.delivery.group_lease import lease
from apps.valkey.pools import sync_client
from apps.valkey.scripts import Script

_LUA = Path(__file__).parent / "lua"
_MARK = Script(_LUA / "mark_due.lua")
_TAKE = Script(_LUA / "take_due.lua")
_COUNTED = Script(_LUA / "note_counted.lua")

COUNT_MS = 10_000
"""How long a count may take before another process does it again."""

AGAIN_MS = 500
TAKEN_AT_ONCE = 200
TELLING_SECONDS = 86_400


def mark_due(lowest: Mapping[str, int]) -> list[str]:
    """Members of these groups confirmed something, the lowest of it with this sequence (0: anything may have changed).
    Returns those to count now; the others' turn comes. Raises ValkeyError.
    """
    arguments = [COUNT_MS, *(part for pair in sorted(lowest.items()) for part in pair)]
    found: list[str] = _MARK.run(sync_client(settings.REDIS_URL), [DUE_KEY, CONFIRMED_KEY], arguments)
    return found


def take_due() -> list[str]:
    """Groups whose turn it is. Raises ValkeyError."""
    found: list[str] = _TAKE.run(sync_client(settings.REDIS_URL), [DUE_KEY], [COUNT_MS, TAKEN_AT_ONCE])
    return found


@contextmanager
def counting(group_id: str) -> Iterator[int | None]:
    """Around a count: the sequence from which on something was confirmed since the last one, 0 where that is not known;
    None where another one is under way, and what it may not have seen is due a moment later.

    After a count the group is not due any more, unless something came meanwhile. Until then it is, so that one which is
    cut off is done again, whoever asked for it.
    """
    client = sync_client(settings.REDIS_URL)
    seconds, microseconds = client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    with lease(counting_key(group_id), COUNT_MS) as token:
        client.zadd(DUE_KEY, {group_id: now_ms + (AGAIN_MS if token is None else COUNT_MS)}, nx=token is not None)
        score, confirmed = client.zscore(DUE_KEY, group_id), client.hget(CONFIRMED_KEY, group_id) or ""
        yield None if token is None else int(confirmed.partition(" ")[0] or 0)
        if token is not None and score is not None:
            _COUNTED.run(client, [DUE_KEY, CONFIRMED_KEY], [group_id, f"{score:.0f}", confirmed])


def note_telling(group_id: str, message_ids: Sequence[str]) -> set[str]:
    """Their senders are about to be told of these messages. Returns them and those of counts that were cut off before
    they had told everybody. Raises ValkeyError.
    """
    client, key = sync_client(settings.REDIS_URL), telling_key(group_id)
    found: set[str] = client.smembers(key)
    if message_ids:
        with client.pipeline(transaction=False) as pipeline:
            pipeline.sadd(key, *message_ids)
            pipeline.expire(key, TELLING_SECONDS)
            pipeline.execute()
    return found.union(message_ids)


def note_told(group_id: str, message_ids: Collection[str]) -> None:
    """They have been told. Raises ValkeyError."""
    if message_ids:
        sync_client(settings.REDIS_URL).srem(telling_key(group_id), *message_ids)
