"""What a moderator does to a group. A change stands on the log and comes into force in the relay, so that members see
it among their messages, at one place for all.

The audit entry is written before a change is asked for: no deed stands without one. Where a change is refused in the
end, because somebody else's stood before it, a second entry says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts.errors import NotFoundError
from apps.accounts.models import User
from apps.accounts.selectors import get_user
from apps.groups.changes import MODERATOR, load_standing
from apps.groups.errors import ChangeRefused
from apps.groups.kinds import Kind
from apps.groups.models import Invite
from apps.groups.rules import judge
from apps.groups.selectors import live_invites
from apps.groups.services import submit_change
from apps.moderation.audit import record
from apps.moderation.errors import NotAllowedError
from apps.moderation.models import REASON_MAX_LENGTH
from apps.moderation.services.users import check_may_act_on

TEXTS = {
    "not_found": "There is no such group any more, or this user is no member of it.",
    "owner_must_hand_over": "A group has one owner: hand it over to somebody else first.",
}
"""Where the words of groups are for their members."""


def freeze_group(actor: User, group_id: str, reason: str) -> None:
    """Let nobody write any more; members read the reason. Raises NotAllowedError with what the rules of groups say,
    ChangePending after 5 s, and LogUnavailable.
    """
    _change(actor, Kind.FROZEN, group_id, "freeze group", reason, details={"reason": reason})


def unfreeze_group(actor: User, group_id: str, reason: str) -> None:
    """Let everybody write again. Raises as `freeze_group`."""
    _change(actor, Kind.UNFROZEN, group_id, "unfreeze group", reason)


def delete_group(actor: User, group_id: str, reason: str) -> None:
    """End the group: nobody is a member any more. Raises as `freeze_group`."""
    _change(actor, Kind.DELETED, group_id, "delete group", reason)


def remove_member(actor: User, group_id: str, user_id: str, reason: str) -> None:
    """Send somebody away. Raises as `freeze_group`, NotFoundError, and NotAllowedError for oneself and for staff too
    (unless a superuser asks).
    """
    check_may_act_on(actor, get_user(user_id))
    _change(actor, Kind.REMOVED, group_id, "remove from group", reason, user_id=user_id)


def give_role(actor: User, group_id: str, user_id: str, role: str, reason: str) -> None:
    """Give a member another role; "owner" hands the group over, and the old one is an admin. Raises as
    `remove_member`.
    """
    check_may_act_on(actor, get_user(user_id))
    details = {"role": role}
    _change(actor, Kind.ROLE, group_id, f"make {role} of group", reason, user_id=user_id, details=details)


@transaction.atomic
def revoke_group_invite(actor: User, group_id: str, number: int, reason: str) -> None:
    """Let nobody join with an invite any more. Raises NotFoundError for one that is not live."""
    live = Invite.objects.filter(live_invites(), pk=number, group_id=group_id)
    if not live.update(revoked_at=timezone.now()):
        raise NotFoundError("invite")
    record(actor, "revoke invite", group_id, _clip(f"number {number}: {reason}"))


def _change(
    actor: User,
    kind: Kind,
    group_id: str,
    action: str,
    reason: str,
    *,
    user_id: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    user_ids = [user_id] if user_id else []
    with _in_words_for_moderators():
        _check(kind, group_id, user_ids, details or {})
        _record(actor, action, group_id, user_id, reason)
        try:
            submit_change(kind, group_id, by=MODERATOR, user_ids=user_ids, details=details)
        except ChangeRefused as error:
            _record(actor, "change refused", group_id, user_id, f"{action}: {error.code}")
            raise


@contextmanager
def _in_words_for_moderators() -> Iterator[None]:
    try:
        yield
    except ChangeRefused as error:
        raise NotAllowedError(TEXTS.get(error.code, error.message)) from error


def _check(kind: Kind, group_id: str, user_ids: Sequence[str], details: Mapping[str, Any]) -> None:
    """What is refused at once leaves no entry: nothing was done. Raises ChangeRefused."""
    standing = load_standing(group_id, MODERATOR, user_ids, details)
    if refusal := judge(kind, MODERATOR, user_ids, details, standing, moderates=True).refusal:
        raise ChangeRefused(refusal)


@transaction.atomic
def _record(actor: User, action: str, group_id: str, user_id: str, reason: str) -> None:
    """An entry on the group, and one on the user whom it concerns."""
    if user_id:
        record(actor, action, user_id, _clip(f"{group_id}: {reason}"))
        reason = _clip(f"{user_id}: {reason}")
    record(actor, action, group_id, reason)


def _clip(text: str) -> str:
    return text[:REASON_MAX_LENGTH]
