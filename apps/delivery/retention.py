"""Retention: rows past their time leave the Message DB, a bounded number at a time."""

import time

from apps.messagestore.store import get_message_store

CHUNK = 1_000
CHUNKS_A_RUN = 50


def purge_expired() -> int:
    """Delete rows past their time. Returns how many; at most CHUNK × CHUNKS_A_RUN. Raises StoreUnavailable."""
    store = get_message_store()
    total = 0
    for _ in range(CHUNKS_A_RUN):
        deleted = store.purge_expired(int(time.time() * 1000), CHUNK)
        total += deleted
        if deleted < CHUNK:
            break
    return total
