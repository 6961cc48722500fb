"""Leases on work for a group: one process at a time, and another one when that is killed."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from apps.valkey.pools import sync_client

RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


@contextmanager
def lease(key: str, ms: int) -> Iterator[str | None]:
    """The right to do something for so long; None where somebody else has it: whoever lets go looks again. Raises
    ValkeyError.
    """
    client, token = sync_client(settings.REDIS_URL), secrets.token_hex(8)
    if not client.set(key, token, nx=True, px=ms):
        yield None
        return
    try:
        yield token
    finally:
        client.eval(RELEASE, 1, key, token)


def holds(key: str, token: str, ms: int) -> bool:
    """Whether the lease is still ours: then it is, for so long again. Raises ValkeyError."""
    client = sync_client(settings.REDIS_URL)
    return client.get(key) == token and bool(client.pexpire(key, ms))
