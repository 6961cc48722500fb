"""A user who is to be deleted leaves every group, in everybody's eyes; who owns one hands it over before."""

from django.db.models import Case, Value, When

from apps.groups.changes import MODERATOR
from apps.groups.errors import ChangeRefused
from apps.groups.kinds import Kind
from apps.groups.models import Member
from apps.groups.rules import ADMIN, OWNER
from apps.groups.selectors import list_present_group_ids
from apps.groups.services import submit_change

TRIES = 5
"""Somebody else may come, go or get the group meanwhile: then it is looked at again."""


def leave_groups(user_id: str) -> int:
    """Leave all groups; one in which nobody is left ends. Returns how many. May be repeated.

    Raises ChangePending, LogUnavailable, and ChangeRefused; what was left until then is left.
    """
    group_ids = list_present_group_ids(user_id)
    for group_id in group_ids:
        _leave(group_id, user_id)
    return len(group_ids)


def find_heir(group_id: str, owner_id: str) -> str | None:
    """Who gets a group after its owner: the admin, else the member, who is there longest; of those who are not
    suspended, where there are any.
    """
    is_admin = Case(When(role=ADMIN, then=Value(0)), default=Value(1))
    others = Member.objects.filter(group_id=group_id, to_sequence=None).exclude(user_id=owner_id)
    return others.order_by("-user__is_active", is_admin, "pk").values_list("user_id", flat=True).first()


def _leave(group_id: str, user_id: str) -> None:
    refused: ChangeRefused | None = None
    for _ in range(TRIES):
        member = Member.objects.filter(group_id=group_id, user_id=user_id, to_sequence=None).first()
        if member is None:
            return
        heir = find_heir(group_id, user_id) if member.role == OWNER else None
        # The count of a group may still have users in it who were deleted: then its last member cannot leave.
        is_stuck = heir is None and refused is not None and refused.code == "owner_must_hand_over"
        try:
            if heir is not None:
                submit_change(Kind.ROLE, group_id, by=MODERATOR, user_ids=[heir], details={"role": OWNER})
            if is_stuck:
                submit_change(Kind.DELETED, group_id, by=user_id)
            else:
                submit_change(Kind.LEFT, group_id, by=user_id, user_ids=[user_id])
        except ChangeRefused as error:
            refused = error
        else:
            return
    if refused is not None:
        raise refused
