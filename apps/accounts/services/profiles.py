"""Changes that users make to themselves."""

from typing import Any

from django.db import transaction

from apps.accounts.announcements import announce_settings
from apps.accounts.errors import InvalidInputError
from apps.accounts.models import HISTORY_DAYS, User, UserSettings
from apps.accounts.palette import AVATAR_COLORS
from apps.accounts.validation import check_display_name


def update_profile(user: User, *, display_name: str | None = None, avatar_color: str | None = None) -> User:
    """Change what is given. Raises InvalidInputError."""
    if display_name is not None:
        user.display_name = check_display_name(display_name)
    if avatar_color is not None:
        if avatar_color not in AVATAR_COLORS:
            raise InvalidInputError({"avatar_color": [f"Choose one of {', '.join(AVATAR_COLORS)}."]})
        user.avatar_color = avatar_color
    user.save(update_fields=["display_name", "avatar_color"])
    return user


@transaction.atomic
def update_settings(
    user_id: str,
    *,
    device_id: str,
    history_days: int | None = None,
    show_last_seen: bool | None = None,
    read_receipts: bool | None = None,
) -> UserSettings:
    """Change what is given; the user's devices other than ``device_id`` are told. Raises InvalidInputError."""
    if history_days is not None and history_days not in HISTORY_DAYS:
        raise InvalidInputError({"history_days": [f"Choose one of {', '.join(map(str, HISTORY_DAYS))}."]})
    given: dict[str, Any] = {
        "history_days": history_days,
        "show_last_seen": show_last_seen,
        "read_receipts": read_receipts,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    row, _ = UserSettings.objects.update_or_create(user_id=user_id, defaults=changes)
    announce_settings(user_id, except_device_id=device_id)
    return row
