"""What groups hold of one person, for the archive that the person may ask for."""

from typing import Any

from apps.groups.models import Change, Member


def count_memberships(user_id: str) -> int:
    """How often the user was in a group, those that go on included."""
    return Member.objects.filter(user_id=user_id).count()


def list_memberships(user_id: str) -> list[dict[str, Any]]:
    """The user's times in groups, ready for JSON. When one ended is known for as long as the change is."""
    rows = list(Member.objects.filter(user_id=user_id).select_related("group").order_by("pk"))
    ended = {(row.group_id, row.to_sequence) for row in rows if row.to_sequence is not None}
    changes = Change.objects.filter(
        group_id__in={group_id for group_id, _ in ended}, sequence__in={sequence for _, sequence in ended}
    )
    ended_at = {(change.group_id, change.sequence): change.settled_at for change in changes}
    return [_membership(row, ended_at.get((row.group_id, row.to_sequence or 0))) for row in rows]


def _membership(row: Member, ended_at: Any) -> dict[str, Any]:
    return {
        "group_id": row.group_id,
        "name": row.group.name,
        "role": row.role,
        "member_now": row.to_sequence is None,
        "joined_at": row.joined_at.isoformat(),
        "left_at": ended_at.isoformat() if ended_at else None,
        "muted_until": row.muted_until.isoformat() if row.muted_until else None,
    }
