"""Who has a group open: which gateway processes, so that what concerns only viewers goes nowhere else."""

import time
from collections.abc import Sequence

from django.conf import settings

from apps.groups.keys import VIEWERS_SECONDS, viewers_key
from apps.valkey.async_keyspace import async_keyspace
from apps.valkey.sync_keyspace import sync_keyspace


async def note_viewers(server_id: str, group_ids: Sequence[str]) -> None:
    """Somebody at this gateway process has these groups open. Raises ValkeyError."""
    now_ms = int(time.time() * 1000)
    await async_keyspace(settings.INBOX_REDIS_URL).execute_all(
        [
            command
            for group_id in group_ids
            for command in (
                ("ZADD", viewers_key(group_id), now_ms + VIEWERS_SECONDS * 1000, server_id),
                ("ZREMRANGEBYSCORE", viewers_key(group_id), "-inf", now_ms),
                ("EXPIRE", viewers_key(group_id), VIEWERS_SECONDS),
            )
        ]
    )


async def find_viewers_async(group_ids: Sequence[str]) -> dict[str, list[str]]:
    """Group → gateway processes at which somebody has it open. Raises ValkeyError."""
    answers = await async_keyspace(settings.INBOX_REDIS_URL).execute_all(_queries(group_ids))
    return dict(zip(group_ids, answers, strict=True))


def find_viewers(group_ids: Sequence[str]) -> dict[str, list[str]]:
    """The same for processes that are not async."""
    if not group_ids:
        return {}
    answers = sync_keyspace(settings.INBOX_REDIS_URL).execute_all(_queries(group_ids))
    return dict(zip(group_ids, answers, strict=True))


def _queries(group_ids: Sequence[str]) -> list[tuple[str, str, int, str]]:
    now_ms = int(time.time() * 1000)
    return [("ZRANGEBYSCORE", viewers_key(group_id), now_ms, "+inf") for group_id in group_ids]
