"""Who is online: a key per user that connections renew with their heartbeats. It is asked for, never pushed."""

from collections.abc import Sequence

from django.conf import settings

from apps.connections.keys import presence_key
from apps.valkey.async_keyspace import async_keyspace
from apps.valkey.sync_keyspace import sync_keyspace


def list_online(user_ids: Sequence[str]) -> set[str]:
    """Those of the users who are online, in one call. Raises ValkeyError."""
    values = sync_keyspace(settings.INBOX_REDIS_URL).get_all([presence_key(user_id) for user_id in user_ids])
    return {user_id for user_id, value in zip(user_ids, values, strict=True) if value is not None}


async def find_online(user_ids: Sequence[str]) -> set[str]:
    """The same for the event loop. Raises ValkeyError."""
    values = await async_keyspace(settings.INBOX_REDIS_URL).get_all([presence_key(user_id) for user_id in user_ids])
    return {user_id for user_id, value in zip(user_ids, values, strict=True) if value is not None}
