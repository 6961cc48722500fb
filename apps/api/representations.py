"""How rows look in JSON. Times are milliseconds since the epoch."""

from datetime import datetime
from typing import Any

from apps.accounts.models import Block, Contact, Device, User, UserSettings
from apps.accounts.presence import Presence


def to_milliseconds(moment: datetime) -> int:
    """A moment as the contract writes it."""
    return int(moment.timestamp() * 1000)


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
