"""Leaves nothing of a deleted user in what the scorer keeps, neither of them nor in what it keeps of others."""

from itertools import islice

from django.conf import settings

from apps.valkey.sync_keyspace import sync_keyspace

PAGE = 500
_OF_PEERS = ("unanswered", "known")
"""Kinds of keys that hold other users' ids."""


def forget_user(user_id: str) -> int:
    """Delete the user's keys, and take the user out of everybody else's. Returns how many keys were deleted.

    A scan of all keys, for operators: who wrote to somebody and got no answer stands nowhere else. Raises ValkeyError.
    """
    keyspace = sync_keyspace(settings.REDIS_URL)
    found, deleted = keyspace.scan("spam:*"), 0
    while keys := list(islice(found, PAGE)):
        owners = {key: key.split(":")[1:3] for key in keys}
        own = [key for key, (_, owner) in owners.items() if owner == user_id]
        others = [key for key, (kind, owner) in owners.items() if kind in _OF_PEERS and owner != user_id]
        keyspace.execute_all([*(("UNLINK", key) for key in own), *(("ZREM", key, user_id) for key in others)])
        deleted += len(own)
    return deleted
