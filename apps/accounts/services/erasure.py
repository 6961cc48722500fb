"""Orders to the Message DB to erase something, carried out by Celery until nothing can still be on its way there."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts.announcements import announce_erasure, announce_facts
from apps.accounts.models import AccountErasure, HistoryErasure, User
from apps.accounts.services.devices import revoke_all_devices

STANDS = timedelta(minutes=10)
"""A batch that was begun before has long taken effect by then, or will be begun anew."""


@transaction.atomic
def delete_user(user_id: str) -> None:
    """Delete a user with all that belongs to them here; the Message DB is to follow. All sockets close.

    Nothing happens where there is no such user.
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return
    revoke_all_devices(user_id, reason="deleted")
    AccountErasure.objects.get_or_create(user_id=user_id)
    user.delete()
    announce_facts([user_id])
    announce_erasure()


def close_erasure(erasure: HistoryErasure | AccountErasure) -> bool:
    """Drop an order that was carried out, once nothing of it can still come. Returns whether it was dropped."""
    if timezone.now() - erasure.requested_at < STANDS:
        return False
    erasure.delete()
    return True
