"""Retention: what is past its time, or what a user no longer wants kept, leaves the Message DB in bounded steps."""

import time
from collections.abc import Callable
from functools import partial

from apps.accounts.models import HistoryErasure
from apps.accounts.selectors import list_history_erasures
from apps.accounts.services import close_erasure
from apps.groups.selectors import list_group_ids
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


def carry_out_erasures() -> int:
    """Erase what users no longer want kept. Returns the messages concerned.

    Each order is carried out again until it is closed: a batch that was under way may have brought more. Raises
    StoreUnavailable.
    """
    total, after = 0, 0
    while orders := list_history_erasures(after=after, limit=CHUNK):
        after = orders[-1].pk  # a closed one has none any more
        for order in orders:
            total += erase_in_chunks(partial(_forget, order))
            close_erasure(order)
    return total


def erase_in_chunks(erase_chunk: Callable[[int], int]) -> int:
    """Let at most so many rows be erased at a time until there are no more. Returns how many there were."""
    total = 0
    while True:
        erased = erase_chunk(CHUNK)
        total += erased
        if erased < CHUNK:
            return total


def _forget(order: HistoryErasure, limit: int) -> int:
    now_ms = int(time.time() * 1000)
    window = Window(
        keeper_id=order.user_id,
        now_ms=now_ms,
        limit=limit,
        until_ms=order.accepted_until_ms,
        group_ids=tuple(list_group_ids(order.user_id)),
    )
    return get_message_store().history.forget(window)
