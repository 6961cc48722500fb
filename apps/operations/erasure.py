"""Deleting one person everywhere: at once, and again until nothing that names them can come back."""

import time
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import AccountErasure, User
from apps.accounts.selectors import list_due_account_erasures
from apps.accounts.services import close_account, note_account_erasure, remove_account
from apps.delivery.retention import CHUNK, erase_in_chunks
from apps.groups import polled_messages
from apps.groups.errors import ChangePending, ChangeRefused
from apps.groups.selectors import list_group_ids, list_present_group_ids
from apps.messagelog.base import LogUnavailable
from apps.messagestore.history import Window
from apps.messagestore.store import get_message_store
from apps.moderation.audit import Actor, record
from apps.moderation.personal_data import forget_name
from apps.operations.leaving import leave_groups
from apps.operations.personal_data import count_data
from apps.operations.progress import Advance
from apps.spam.erasure import forget_user
from apps.valkey.pools import ValkeyError
from apps.valkey.sync_keyspace import sync_keyspace

PAGE = 500

LATE = (LogUnavailable, ChangePending)
CANNOT_LEAVE = (*LATE, ChangeRefused)
"""Why somebody is still in a group: until they can leave it, the account is closed and its rows stay."""


def erase_person(actor: Actor, user: User, advance: Advance) -> dict[str, Any]:
    """Delete a user everywhere; returns the receipt. ``advance`` is told of messages.

    Raises ValkeyError, StoreUnavailable, and what is in ``CANNOT_LEAVE``; where the account is closed or gone by then,
    an order stands that Celery carries out.
    """
    counts = count_data(user)
    with transaction.atomic():
        record(actor, "delete user", user.pk)
        forget_name(user.pk)
        order = close_account(user.pk, list_group_ids(user.pk))
    receipt = go_on_erasing(order, advance)
    return receipt | {"username": user.username, "deleted": receipt["deleted"] | counts}


def go_on_erasing(order: AccountErasure, advance: Advance) -> dict[str, Any]:
    """Erase what is left of a deleted user; returns the receipt. Raises as `erase_person`."""
    began_at = timezone.now()
    _remove(order)
    messages = _erase_messages(order, advance)
    cache_keys = _clear_caches(order)
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
            "groups": len(list_present_group_ids(order.user_id)),
        },
        "deleted_at": order.requested_at.isoformat(timespec="seconds"),
        "everything_erased_at": carried_out_at.isoformat(timespec="seconds") if carried_out_at else None,
        "erased_again_until": order.stands_until.isoformat(timespec="seconds"),
    }


def carry_out_account_erasures() -> int:
    """Erase what is left of deleted users, as far as it is due. Returns the messages concerned.

    Raises StoreUnavailable, and in the end ValkeyError and what is in ``CANNOT_LEAVE``, for no message waits for the
    caches or for groups. What was not done stays due; what was is noted user by user, since a worker's time is limited.
    """
    messages = 0
    late: Exception | None = None
    failure: Exception | None = None
    for order in list_due_account_erasures(limit=CHUNK):
        began_at = timezone.now()
        failed = _try_to_remove(order, late)
        late = failed if isinstance(failed, LATE) else late
        messages += _erase_messages(order, _unwatched)
        try:
            if not order.is_settled:  # later a replay brings nothing but rows: the scorer knows who was deleted
                _clear_caches(order)
        except ValkeyError as error:
            failed = error
        if failed is None:
            note_account_erasure(order, began_at)
        failure = failed or failure
    if failure is not None:
        raise failure
    return messages


def _try_to_remove(order: AccountErasure, late: Exception | None) -> Exception | None:
    """Why it could not be; ``late`` says that nobody needs to try now whether a change of a group comes into force."""
    if late is not None and list_present_group_ids(order.user_id):
        return late
    try:
        _remove(order)
    except CANNOT_LEAVE as error:
        return error
    return None


def _remove(order: AccountErasure) -> None:
    """The rows of the user's, who leaves every group before. Raises what is in ``CANNOT_LEAVE``."""
    leave_groups(order.user_id)
    remove_account(order.user_id)


def _unwatched(_: int) -> None:
    """Nobody looks at a bar."""


def _erase_messages(order: AccountErasure, advance: Advance) -> int:
    """Returns the messages deleted. What others wrote to groups stays, save what only the user still kept."""
    erased = erase_in_chunks(partial(_erase_chunk, order.user_id, advance))
    erase_in_chunks(partial(_forget_chunk, order))
    return erased


def _erase_chunk(user_id: str, advance: Advance, limit: int) -> int:
    erased = get_message_store().personal_data.erase(user_id, limit)
    advance(erased)
    return erased


def _forget_chunk(order: AccountErasure, limit: int) -> int:
    group_ids = tuple(order.group_ids.split())
    window = Window(keeper_id=order.user_id, now_ms=int(time.time() * 1000), limit=limit, group_ids=group_ids)
    return get_message_store().history.forget(window)


def _clear_caches(order: AccountErasure) -> int:
    """Leave nothing in the caches. Returns the keys deleted: the scorer's, and every key with the user's hash tag
    (inboxes, receipts, registry, presence, facts, dedup). What is cached of the user's groups is made anew.
    """
    deleted = forget_user(order.user_id)
    polled_messages.drop(order.group_ids.split())
    keyspace = sync_keyspace(settings.INBOX_REDIS_URL)
    keys = sorted(keyspace.scan(f"*{{{order.user_id}}}*"))
    for start in range(0, len(keys), PAGE):
        keyspace.execute_all([("UNLINK", key) for key in keys[start : start + PAGE]])
    return deleted + len(keys)
