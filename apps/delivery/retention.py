"""Retention: what is past its time, or what a user no longer wants kept, leaves the Message DB in bounded steps."""

import time

from apps.accounts.models import HistoryErasure
from apps.accounts.selectors import list_history_erasures
from apps.accounts.services import close_history_erasure
from apps.messagestore.history import Window
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


def forget_histories() -> int:
    """Carry out all erasures of history that were asked for. Returns the messages concerned. Raises StoreUnavailable.

    Each is carried out again until it is closed: a batch that was under way may have brought more.
    """
    total, after = 0, 0
    while erasures := list_history_erasures(after=after, limit=CHUNK):
        after = erasures[-1].pk  # a closed one has none any more
        for erasure in erasures:
            total += _forget(erasure)
            close_history_erasure(erasure)
    return total


def _forget(erasure: HistoryErasure) -> int:
    history, total = get_message_store().history, 0
    while True:
        window = Window(
            keeper_id=erasure.user_id,
            now_ms=int(time.time() * 1000),
            limit=CHUNK,
            until_ms=erasure.accepted_until_ms,
        )
        forgotten = history.forget(window)
        total += forgotten
        if forgotten < CHUNK:
            return total
