"""Retention: what is past its time, or what a user no longer wants kept, leaves the Message DB in bounded steps."""

import time
from collections.abc import Callable
from typing import TypeVar

from apps.accounts.models import AccountErasure, HistoryErasure
from apps.accounts.selectors import list_account_erasures, list_history_erasures
from apps.accounts.services import close_erasure
from apps.messagestore.history import Window
from apps.messagestore.store import get_message_store

Order = TypeVar("Order", HistoryErasure, AccountErasure)

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
    """Erase what users no longer want kept, and what is left of deleted users. Returns the messages concerned.

    Each order is carried out again until it is closed: a batch that was under way may have brought more. Raises
    StoreUnavailable.
    """
    return _carry_out(list_history_erasures, _forget) + _carry_out(list_account_erasures, _erase)


def _carry_out(list_orders: Callable[..., list[Order]], erase: Callable[[Order], int]) -> int:
    total, after = 0, 0
    while orders := list_orders(after=after, limit=CHUNK):
        after = orders[-1].pk  # a closed one has none any more
        for order in orders:
            total += erase(order)
            close_erasure(order)
    return total


def _forget(order: HistoryErasure) -> int:
    def forget() -> int:
        now_ms = int(time.time() * 1000)
        window = Window(keeper_id=order.user_id, now_ms=now_ms, limit=CHUNK, until_ms=order.accepted_until_ms)
        return get_message_store().history.forget(window)

    return _until_done(forget)


def _erase(order: AccountErasure) -> int:
    return _until_done(lambda: get_message_store().personal_data.erase(order.user_id, CHUNK))


def _until_done(erase_chunk: Callable[[], int]) -> int:
    total = 0
    while True:
        erased = erase_chunk()
        total += erased
        if erased < CHUNK:
            return total
