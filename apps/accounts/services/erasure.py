"""Orders to erase something, carried out by Celery until nothing of it can still be on its way."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.accounts.announcements import announce_facts
from apps.accounts.models import UNDER_WAY, AccountErasure, HistoryErasure
from apps.accounts.selectors import get_user
from apps.accounts.services.devices import revoke_all_devices


@transaction.atomic
def delete_user(user_id: str) -> AccountErasure:
    """Delete a user with all that belongs to them here. All sockets close. Returns the order to erase what other parts
    of the site hold, with which Celery begins within a minute. Raises NotFoundError.
    """
    user = get_user(user_id)
    revoke_all_devices(user_id, reason="deleted")
    order, _ = AccountErasure.objects.get_or_create(user_id=user_id)
    user.delete()
    announce_facts([user_id])
    return order


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
