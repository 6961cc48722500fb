"""Links with which whoever has one may join, as a member and no more."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts.credentials import hash_secret, new_secret
from apps.accounts.errors import InvalidInputError, LimitReachedError, NotFoundError
from apps.groups.kinds import Kind
from apps.groups.models import Invite
from apps.groups.selectors import get_invite, get_managed_group, list_invites, live_invites
from apps.groups.services.submission import submit_change
from apps.groups.validation import check_room

HOUR, DAY = 3_600, 86_400
SHORTEST_SECONDS, LONGEST_SECONDS = HOUR, 30 * DAY
DEFAULT_SECONDS = 7 * DAY
MAX_INVITES = 100
"""Live ones of a group."""


@transaction.atomic
def create_invite(group_id: str, by: str, *, expires_in: int = DEFAULT_SECONDS) -> tuple[Invite, str]:
    """An invite and its token, which is stored nowhere. Raises NotFoundError, InvalidInputError, LimitReachedError."""
    get_managed_group(group_id, by)
    if not SHORTEST_SECONDS <= expires_in <= LONGEST_SECONDS:
        reason = f"Give a whole number of seconds, from {SHORTEST_SECONDS} to {LONGEST_SECONDS}."
        raise InvalidInputError({"expires_in": [reason]})
    if len(list_invites(group_id)) >= MAX_INVITES:
        raise LimitReachedError("invites", MAX_INVITES)
    token = new_secret()
    invite = Invite.objects.create(
        group_id=group_id,
        token_hash=hash_secret(token),
        created_by_id=by,
        expires_at=timezone.now() + timedelta(seconds=expires_in),
    )
    return invite, token


def revoke_invite(group_id: str, by: str, number: int) -> None:
    """Let nobody join with an invite any more. Raises NotFoundError for one that is not live."""
    get_managed_group(group_id, by)
    live = Invite.objects.filter(live_invites(), pk=number, group_id=group_id)
    if not live.update(revoked_at=timezone.now()):
        raise NotFoundError("invite")


def join_by_invite(token: str, user_id: str) -> str:
    """Become a member; returns the group's id. Raises LimitReachedError."""
    invite = get_invite(token)
    check_room(user_id)
    submit_change(Kind.JOINED, invite.group_id, by=user_id, user_ids=[user_id], details={"invite": invite.pk})
    return invite.group_id
