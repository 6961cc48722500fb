"""Suspension: every door closes at once, nothing is deleted, and all of it can be undone."""

from django.db import transaction

from apps.accounts.announcements import announce_facts, announce_user_revoked
from apps.accounts.models import SUSPENSION_REASON_MAX_LENGTH, User
from apps.accounts.selectors import get_user

SUSPENDED = "suspended"
"""Tells gateways to close with the reason of a suspension."""


@transaction.atomic
def suspend_user(user_id: str, reason: str = "") -> User:
    """Refuse the user from now on, and close all of the user's sockets. Raises NotFoundError.

    ``reason`` is for the user, who reads it at the next login with the right password.
    """
    user = _set_active(user_id, active=False, reason=reason)
    announce_user_revoked(user_id, SUSPENDED)
    return user


@transaction.atomic
def unsuspend_user(user_id: str) -> User:
    """Let the user in again, with the same devices. Raises NotFoundError."""
    return _set_active(user_id, active=True)


def _set_active(user_id: str, *, active: bool, reason: str = "") -> User:
    user = get_user(user_id)
    user.is_active = active
    user.suspension_reason = reason[:SUSPENSION_REASON_MAX_LENGTH]
    user.save(update_fields=["is_active", "suspension_reason"])
    announce_facts([user_id])
    return user
