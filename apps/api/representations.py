"""How rows look in JSON. Times are milliseconds since the epoch."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.accounts.models import Block, Contact, Device, User, UserSettings
from apps.accounts.presence import Presence
from apps.groups.models import Group, Invite, Member

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(moment: datetime) -> int:
    """A moment as the contract writes it."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(at_ms: int) -> datetime:
    """The moment. Raises OverflowError for one that is after the year 9999, or before the first one."""
    return _EPOCH + at_ms * _MILLISECOND


def build_profile(user: User) -> dict[str, Any]:
    """What anybody may see of a user."""
    return {
        "user_id": user.pk,
        "username": user.username,
        "display_name": user.display_name,
        "avatar_color": user.avatar_color,
    }


def build_relation(row: Contact | Block) -> dict[str, Any]:
    """A contact or a block: the person's profile and since when."""
    return build_profile(row.person) | {"created_at": to_milliseconds(row.created_at)}


def build_device(device: Device, *, current_id: str) -> dict[str, Any]:
    """One of the asking user's devices."""
    return {
        "device_id": device.pk,
        "name": device.name,
        "kind": device.kind,
        "created_at": to_milliseconds(device.created_at),
        "last_seen_at": to_milliseconds(device.last_seen_at),
        "current": device.pk == current_id,
    }


def build_settings(row: UserSettings) -> dict[str, Any]:
    """The settings of the asking user."""
    return {
        "history_days": row.history_days,
        "show_last_seen": row.show_last_seen,
        "read_receipts": row.read_receipts,
    }


def build_presence(presence: Presence) -> dict[str, Any]:
    """How somebody stands for the asking user."""
    return {"user_id": presence.user_id, "online": presence.online, "last_seen": presence.last_seen_ms}


def build_group(group: Group, member: Member) -> dict[str, Any]:
    """A group, as the member sees it."""
    return {
        "group_id": group.pk,
        "name": group.name,
        "description": group.description,
        "picture": group.picture,
        "version": group.version,
        "member_count": group.member_count,
        "only_admins_write": group.only_admins_write,
        "slow_mode_seconds": group.slow_mode_seconds,
        "frozen": group.frozen,
        "freeze_reason": group.freeze_reason,
        "delivery": "poll" if group.is_polled else "push",
        "created_at": to_milliseconds(group.created_at),
        "role": member.role,
        "muted_until": build_muted_until(member),
    }


def build_open_group(group: Group, member: Member, members: Sequence[Member]) -> dict[str, Any]:
    """The same with members, all of them or the first."""
    return build_group(group, member) | {"members": [build_member(one) for one in members]}


def build_member(member: Member) -> dict[str, Any]:
    """A member of a group: the person's profile, and as what they are in it."""
    return build_profile(member.user) | {"role": member.role}


def build_muted_until(member: Member) -> int | None:
    """Until when a member hears nothing of a group, None for one who does."""
    until = member.muted_until
    return to_milliseconds(until) if until is not None and until > timezone.now() else None


def build_invite(invite: Invite) -> dict[str, Any]:
    """An invite as those see it who look after the group; its token was shown once."""
    return {
        "number": invite.pk,
        "created_by": invite.created_by_id,
        "created_at": to_milliseconds(invite.created_at),
        "expires_at": to_milliseconds(invite.expires_at),
    }


def build_preview(invite: Invite) -> dict[str, Any]:
    """What whoever has an invite may know of the group before they join."""
    group = invite.group
    return {
        "group_id": group.pk,
        "name": group.name,
        "picture": group.picture,
        "member_count": group.member_count,
        "expires_at": to_milliseconds(invite.expires_at),
    }
