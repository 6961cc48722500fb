"""Groups come and go, and what is said of them changes."""

from collections.abc import Sequence
from typing import Any

from apps.groups.kinds import Kind
from apps.groups.models import Group
from apps.groups.selectors import get_group, get_managed_group
from apps.groups.services.submission import Proposal, submit_change, submit_changes
from apps.groups.validation import (
    check_description,
    check_name,
    check_named,
    check_people,
    check_picture,
    check_room,
    check_slow_mode,
)
from apps.protocol.ids import new_group_id


def create_group(
    owner_id: str, name: str, member_ids: Sequence[str], *, description: str = "", picture: str = ""
) -> str:
    """A new group of its owner and these people; returns its id. Raises InvalidInputError, LimitReachedError."""
    details = {"name": check_name(name)}
    details |= _given(description=check_description(description), picture=check_picture(picture))
    members = [one for one in check_named(member_ids, field="members") if one != owner_id]
    check_room(owner_id)
    check_people(owner_id, members, field="members")
    group_id = new_group_id()
    submit_change(Kind.CREATED, group_id, by=owner_id, user_ids=members, details=details)
    return group_id


def update_group(
    group_id: str,
    by: str,
    *,
    name: str | None = None,
    description: str | None = None,
    picture: str | None = None,
    only_admins_write: bool | None = None,
    slow_mode_seconds: int | None = None,
) -> None:
    """Change what is given and is not so already. Raises NotFoundError, InvalidInputError."""
    group, _ = get_managed_group(group_id, by)
    texts: dict[Kind, dict[str, Any]] = {
        Kind.RENAMED: {"name": None if name is None else check_name(name)},
        Kind.DESCRIBED: {"description": None if description is None else check_description(description)},
        Kind.PICTURED: {"picture": None if picture is None else check_picture(picture)},
        Kind.RULES: {
            "only_admins_write": only_admins_write,
            "slow_mode_seconds": None if slow_mode_seconds is None else check_slow_mode(slow_mode_seconds),
        },
    }
    changes = {kind: _news(group, values) for kind, values in texts.items()}
    if proposals := [Proposal(kind=kind, details=details) for kind, details in changes.items() if details]:
        submit_changes(group_id, proposals, by=by)


def delete_group(group_id: str, by: str) -> None:
    """End a group; nobody is a member any more. Raises NotFoundError."""
    get_group(group_id, by)
    submit_change(Kind.DELETED, group_id, by=by)


def _given(**texts: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}


def _news(group: Group, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != getattr(group, name)}
