"""Suspension: every door closes at once, nothing is deleted, and all of it can be undone."""

from django.db import transaction

from apps.accounts.announcements import announce_facts, announce_user_revoked
from apps.accounts.models import User
from apps.accounts.selectors import get_user


@transaction.atomic
def suspend_user(user_id: str, reason: str = "suspended") -> User:
    """Refuse the user from now on, and close all of the user's sockets. Raises NotFoundError."""
    user = _set_active(user_id, active=False)
    announce_user_revoked(user_id, reason)
    return user


@transaction.atomic
def unsuspend_user(user_id: str) -> User:
    """Let the user in again, with the same devices. Raises NotFoundError."""
    return _set_active(user_id, active=True)


def _set_active(user_id: str, *, active: bool) -> User:
    user = get_user(user_id)
    user.is_active = active
    user.save(update_fields=["is_active"])
    announce_facts([user_id])
    return user
