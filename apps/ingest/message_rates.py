"""How much a user has sent lately, for whoever looks after the site."""

import time

from django.conf import settings

from apps.ingest.keys import RATE_WINDOW_MS, rate_key
from apps.valkey.sync_keyspace import sync_keyspace


def count_recent_messages(user_id: str) -> int:
    """Messages accepted from the user in the last minute, at most the limit; 0 where no rate is kept. Raises
    ValkeyError.
    """
    since_ms = int(time.time() * 1000) - RATE_WINDOW_MS
    times = sync_keyspace(settings.INBOX_REDIS_URL).execute("LRANGE", rate_key(user_id), 0, -1)
    return sum(int(at_ms) > since_ms for at_ms in times)
