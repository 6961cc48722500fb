"""Deleting one person everywhere: at once, and again until nothing that names them can come back."""

from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import AccountErasure, User
from apps.accounts.selectors import list_due_account_erasures
from apps.accounts.services import delete_user, note_account_erasure
from apps.delivery.retention import CHUNK, erase_in_chunks
from apps.messagestore.store import get_message_store
from apps.moderation.audit import Actor, record
from apps.moderation.personal_data import forget_name
from apps.operations.personal_data import count_data
from apps.operations.progress import Advance
from apps.spam.erasure import forget_user
from apps.valkey.pools import ValkeyError
from apps.valkey.sync_keyspace import sync_keyspace

PAGE = 500


def erase_person(actor: Actor, user: User, advance: Advance) -> dict[str, Any]:
    """Delete a user everywhere; returns the receipt. ``advance`` is told of messages.

    Raises ValkeyError and StoreUnavailable; where the account is gone by then, an order stands that Celery carries out.
    """
    counts = count_data(user)
    with transaction.atomic():
        record(actor, "delete user", user.pk)
        forget_name(user.pk)
        order = delete_user(user.pk)
    receipt = go_on_erasing(order, advance)
    return receipt | {"username": user.username, "deleted": receipt["deleted"] | counts}


def go_on_erasing(order: AccountErasure, advance: Advance) -> dict[str, Any]:
    """Erase what is left of a deleted user; returns the receipt. Raises as `erase_person`."""
    began_at = timezone.now()
    messages = erase_in_chunks(partial(_erase_messages, order.user_id, advance))
    cache_keys = _clear_caches(order.user_id)
    note_account_erasure(order, began_at)
    return {
        "user_id": order.user_id,
        "username": None,
        "deleted": {"messages": messages, "cache_keys": cache_keys},
        "at": timezone.now().isoformat(timespec="seconds"),
        "log_holds_until": order.log_holds_until.isoformat(timespec="seconds"),
    }


def describe_rest(order: AccountErasure) -> dict[str, Any]:
    """What is left of a deleted user, and until when more may come. Raises StoreUnavailable."""
    held = get_message_store().personal_data
    carried_out_at = order.carried_out_at
    return {
        "user_id": order.user_id,
        "username": None,
        "would_delete": {
            "messages": held.count_messages(order.user_id),
            "read_pointers": len(held.list_read_pointers(order.user_id)),
        },
        "deleted_at": order.requested_at.isoformat(timespec="seconds"),
        "everything_erased_at": carried_out_at.isoformat(timespec="seconds") if carried_out_at else None,
        "erased_again_until": order.stands_until.isoformat(timespec="seconds"),
    }


def carry_out_account_erasures() -> int:
    """Erase what is left of deleted users, as far as it is due. Returns the messages concerned.

    Raises StoreUnavailable, and ValkeyError in the end, for no message waits for the caches. What was not done stays
    due; what was is noted user by user, since a worker's time is limited.
    """
    messages, cache_failure = 0, None
    for order in list_due_account_erasures(limit=CHUNK):
        began_at = timezone.now()
        messages += erase_in_chunks(partial(_erase_messages, order.user_id, _unwatched))
        try:
            if not order.is_settled:  # later a replay brings nothing but rows: the scorer knows who was deleted
                _clear_caches(order.user_id)
        except ValkeyError as error:
            cache_failure = error
            continue
        note_account_erasure(order, began_at)
    if cache_failure is not None:
        raise cache_failure
    return messages


def _unwatched(_: int) -> None:
    """Nobody looks at a bar."""


def _erase_messages(user_id: str, advance: Advance, limit: int) -> int:
    erased = get_message_store().personal_data.erase(user_id, limit)
    advance(erased)
    return erased


def _clear_caches(user_id: str) -> int:
    """Leave nothing in the caches. Returns the keys deleted: the scorer's, and every key with the user's hash tag
    (inboxes, receipts, registry, presence, facts, dedup).
    """
    deleted = forget_user(user_id)
    keyspace = sync_keyspace(settings.INBOX_REDIS_URL)
    keys = sorted(keyspace.scan(f"*{{{user_id}}}*"))
    for start in range(0, len(keys), PAGE):
        keyspace.execute_all([("UNLINK", key) for key in keys[start : start + PAGE]])
    return deleted + len(keys)
