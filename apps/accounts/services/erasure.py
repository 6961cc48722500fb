"""Orders to erase something, carried out by Celery until nothing of it can still be on its way."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.accounts.announcements import announce_facts
from apps.accounts.models import UNDER_WAY, AccountErasure, HistoryErasure, User
from apps.accounts.selectors import get_user
from apps.accounts.services.devices import revoke_all_devices


@transaction.atomic
def delete_user(user_id: str) -> AccountErasure:
    """Delete a user with all that belongs to them here. All sockets close. Returns the order to erase what other parts
    of the site hold, with which Celery begins within a minute. Raises NotFoundError.
    """
    order = close_account(user_id)
    remove_account(user_id)
    return order


@transaction.atomic
def close_account(user_id: str, group_ids: Iterable[str] = ()) -> AccountErasure:
    """Let the user in no more, for good: the first step of `delete_user`, for one who has to leave groups before the
    rows go. All sockets close, and nobody adds them anywhere. Returns the order; Celery takes the other steps too,
    where whoever closed the account did not. Raises NotFoundError.

    ``group_ids`` are those whose caches may hold what the user wrote. May be repeated.
    """
    user = get_user(user_id)
    revoke_all_devices(user_id, reason="deleted")
    user.is_active = False
    user.save(update_fields=["is_active"])
    order, _ = AccountErasure.objects.get_or_create(user_id=user_id)
    known = set(order.group_ids.split()) | set(group_ids)
    order.group_ids = "".join(f"{group_id} " for group_id in sorted(known))
    order.save(update_fields=["group_ids"])
    announce_facts([user_id])
    return order


@transaction.atomic
def remove_account(user_id: str) -> None:
    """Delete the rows of a user whose account is closed. May be repeated."""
    deleted, _ = User.objects.filter(pk=user_id).delete()
    if deleted:
        announce_facts([user_id])


def close_erasure(erasure: HistoryErasure) -> bool:
    """Drop an order that was carried out, once nothing of it can still come. Returns whether it was dropped."""
    if timezone.now() - erasure.requested_at < UNDER_WAY:
        return False
    erasure.delete()
    return True


def note_account_erasure(erasure: AccountErasure, began_at: datetime) -> None:
    """Remember that all was erased that was there when somebody began with it; drop the order once nothing can come."""
    row = AccountErasure.objects.filter(pk=erasure.pk)
    if began_at < erasure.stands_until:
        row.update(carried_out_at=began_at)
    else:
        row.delete()
