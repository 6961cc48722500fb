"""Who is in a group, and as what."""

from collections.abc import Sequence

from apps.groups.changes import Outcome
from apps.groups.kinds import Kind
from apps.groups.selectors import get_group, get_managed_group, list_roles
from apps.groups.services.submission import submit_change
from apps.groups.validation import check_named, check_people


def add_members(group_id: str, by: str, user_ids: Sequence[str]) -> Outcome:
    """Add people; those who are members already are passed over. Raises NotFoundError, InvalidInputError."""
    get_managed_group(group_id, by)
    named = check_named(user_ids, field="user_ids")
    present = {user_id for _, user_id in list_roles((group_id, one) for one in named)}
    check_people(by, [one for one in named if one not in present], field="user_ids")
    return submit_change(Kind.JOINED, group_id, by=by, user_ids=named)


def remove_member(group_id: str, by: str, user_id: str) -> None:
    """Send somebody away. Raises NotFoundError."""
    get_group(group_id, by)
    submit_change(Kind.REMOVED, group_id, by=by, user_ids=[user_id])


def leave_group(group_id: str, user_id: str) -> None:
    """Go; a group that nobody is left in is no more. Raises NotFoundError."""
    get_group(group_id, user_id)
    submit_change(Kind.LEFT, group_id, by=user_id, user_ids=[user_id])


def change_role(group_id: str, by: str, user_id: str, role: str) -> None:
    """Give a member another role; "owner" hands the group over, and the old one is an admin. Raises NotFoundError."""
    get_group(group_id, by)
    submit_change(Kind.ROLE, group_id, by=by, user_ids=[user_id], details={"role": role})
