"""What a moderator does to a user's account. The doors close by the services of accounts, the one way there is."""

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.selectors import get_user
from apps.accounts.services import revoke_all_devices, suspend_user, unsuspend_user
from apps.accounts.services.reputation import restore_reputation
from apps.connections.control import publish_user_disconnected
from apps.moderation.audit import Actor, record
from apps.moderation.errors import NotAllowedError


@transaction.atomic
def suspend(actor: Actor, user_id: str, reason: str) -> None:
    """Refuse the user from now on, close all sockets, and keep why: the user reads it at the next login.

    Raises NotFoundError, and NotAllowedError for oneself and for staff (unless a superuser asks).
    """
    check_may_act_on(actor, get_user(user_id))
    suspend_user(user_id, reason)
    record(actor, "suspend", user_id, reason)


@transaction.atomic
def lift_suspension(actor: Actor, user_id: str, reason: str) -> None:
    """Let the user in again. Raises as `suspend`."""
    check_may_act_on(actor, get_user(user_id))
    unsuspend_user(user_id)
    record(actor, "lift suspension", user_id, reason)


@transaction.atomic
def disconnect(actor: Actor, user_id: str, reason: str = "") -> None:
    """Close all of the user's sockets; the sessions behind them go on. Raises as `suspend`, and ValkeyError where no
    gateway could be told.
    """
    check_may_act_on(actor, get_user(user_id))
    record(actor, "disconnect", user_id, reason)
    publish_user_disconnected(user_id)


@transaction.atomic
def end_sessions(actor: User, user_id: str, reason: str) -> None:
    """Log the user out everywhere: every device and session is removed, every socket closes. Raises as `suspend`."""
    check_may_act_on(actor, get_user(user_id))
    revoke_all_devices(user_id, "sessions_ended")
    record(actor, "end sessions", user_id, reason)
    # Also a socket whose device was removed by somebody else a moment ago.
    transaction.on_commit(lambda: publish_user_disconnected(user_id), robust=True)


@transaction.atomic
def lift_message_limit(actor: User, user_id: str, reason: str) -> None:
    """Let one whom the spam scorer has limited write as everybody, and spare them for as long as the limit would have
    lasted. Raises as `suspend`.
    """
    check_may_act_on(actor, get_user(user_id))
    restore_reputation(user_id)
    record(actor, "lift message limit", user_id, reason)


def check_may_act_on(actor: Actor, user: User) -> None:
    """Moderators act on people, not on each other, and nobody locks himself out. Raises NotAllowedError."""
    if actor.pk == user.pk:
        raise NotAllowedError("You cannot do this to yourself.")
    if (user.is_staff or user.is_superuser) and not actor.is_superuser:
        raise NotAllowedError("Only a superuser can do this to somebody who may open the admin.")
