"""What users choose, and what follows when they keep history no more."""

import time
from typing import Any

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Least

from apps.accounts.announcements import announce_erasure, announce_settings
from apps.accounts.errors import InvalidInputError
from apps.accounts.models import HISTORY_DAYS, HistoryErasure, UserSettings

ON_THEIR_WAY_MS = 60_000
"""Gateways' clocks differ, and a relay may have read the old choice a moment ago: messages accepted so much later are
erased too, unless history was switched on again by then.
"""


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
    UserSettings.objects.get_or_create(user_id=user_id)
    row = UserSettings.objects.select_for_update().get(user_id=user_id)
    if history_days is not None and history_days != row.history_days:
        _switch_history(user_id, on=history_days > 0)
    for name, value in given.items():
        if value is not None:
            setattr(row, name, value)
    row.save()
    announce_settings(user_id, except_device_id=device_id)
    return row


def _switch_history(user_id: str, *, on: bool) -> None:
    now_ms = int(time.time() * 1000)
    if on:
        HistoryErasure.objects.filter(user_id=user_id).update(
            accepted_until_ms=Least(F("accepted_until_ms"), Value(now_ms))
        )
        return
    HistoryErasure.objects.create(user_id=user_id, accepted_until_ms=now_ms + ON_THEIR_WAY_MS)
    announce_erasure()
