"""A member wants no notifications of a group: its messages come as ever, and nothing rings."""

from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from apps.accounts.announcements import announce_settings
from apps.accounts.errors import InvalidInputError
from apps.groups.models import Member
from apps.groups.selectors import get_group

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


def mute_group(group_id: str, user_id: str, *, device_id: str, until: datetime = FOREVER) -> Member:
    """Mute a group until then; the user's devices other than ``device_id`` are told. Raises NotFoundError and
    InvalidInputError.
    """
    if not timezone.now() < until <= FOREVER:
        raise InvalidInputError({"until_ms": ["Give a time to come, or nothing for good."]})
    return _set_muted(group_id, user_id, until, device_id)


def unmute_group(group_id: str, user_id: str, *, device_id: str) -> Member:
    """Let a group be heard again, as `mute_group`."""
    return _set_muted(group_id, user_id, None, device_id)


@transaction.atomic
def _set_muted(group_id: str, user_id: str, until: datetime | None, device_id: str) -> Member:
    _, member = get_group(group_id, user_id)
    member.muted_until = until
    member.save(update_fields=["muted_until"])
    announce_settings(user_id, except_device_id=device_id)
    return member
