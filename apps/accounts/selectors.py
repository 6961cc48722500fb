"""Reads of accounts. Nothing here writes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, Max, Q
from django.db.models.functions import Lower
from django.utils import timezone

from apps.accounts.credentials import live_credentials
from apps.accounts.errors import NotFoundError
from apps.accounts.models import (
    UNDER_WAY,
    AccountErasure,
    Block,
    Contact,
    Device,
    HistoryErasure,
    User,
    UserSettings,
)
from apps.accounts.names import username_key
from apps.accounts.replica import read_from_replica
from apps.protocol.ids import is_user_id

SEARCH_PREFIX_MIN_LENGTH = 3
ERASED_AGAIN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """What the relay must know of a user; ``devices`` are those that are not stale."""

    active: bool
    history_days: int
    read_receipts: bool
    devices: tuple[str, ...]


def get_user(user_id: str) -> User:
    """The user of an id, suspended ones too. Raises NotFoundError."""
    user = User.objects.filter(pk=user_id).first() if is_user_id(user_id) else None
    if user is None:
        raise NotFoundError("user")
    return user


def get_profile(user_id: str) -> User:
    """As `get_user`, for showing only: its fields may be a replica's, which is behind. Raises NotFoundError."""
    if not is_user_id(user_id):
        raise NotFoundError("user")
    found = read_from_replica(lambda alias: User.objects.using(alias).filter(pk=user_id).first())
    # Somebody who registered a moment ago may not be on the replica yet.
    return found or get_user(user_id)


def get_settings(user_id: str) -> UserSettings:
    """The user's settings; the defaults, unsaved, where nothing was chosen."""
    return UserSettings.objects.filter(pk=user_id).first() or UserSettings(user_id=user_id)


def history_erased_until(user_id: str) -> int:
    """Messages accepted until this time (ms) are no longer in the user's history, even if the store still has them."""
    latest: int | None = HistoryErasure.objects.filter(user_id=user_id).aggregate(at=Max("accepted_until_ms"))["at"]
    return latest or 0


def list_history_erasures(*, after: int = 0, limit: int) -> list[HistoryErasure]:
    """Erasures that were asked for and may still find something, in that order, after a row's number."""
    return list(HistoryErasure.objects.filter(pk__gt=after).order_by("pk")[:limit])


def list_due_account_erasures(*, limit: int) -> list[AccountErasure]:
    """Orders to erase what is left of deleted users, whose turn it is: at once, again when what was under way has
    arrived, and from then on every hour, since the log may be read again.
    """
    now = timezone.now()
    due = (
        Q(carried_out_at=None)
        | Q(carried_out_at__lt=F("requested_at") + UNDER_WAY, requested_at__lte=now - UNDER_WAY)
        | Q(carried_out_at__lt=now - ERASED_AGAIN_AFTER)
    )
    return list(AccountErasure.objects.filter(due).order_by("pk")[:limit])


def find_account_erasure(user_id: str) -> AccountErasure | None:
    """The order to erase what is left of a deleted user, as long as it stands."""
    return AccountErasure.objects.filter(user_id=user_id).first()


def list_deleted(user_ids: Collection[str]) -> set[str]:
    """Those of the users who were deleted lately: the log may still name them."""
    return set(AccountErasure.objects.filter(user_id__in=user_ids).values_list("user_id", flat=True))


def search_users(query: str, *, asking_id: str, after: str = "", limit: int) -> list[User]:
    """Active users but oneself of exactly this username, or whose username begins with it (3 characters or more).

    By username without regard to case; ``after`` is the ``username_key`` to go on from. It may be a replica that
    answers, which is behind.
    """
    key = username_key(query)
    matching = Q(key__startswith=key) if len(key) >= SEARCH_PREFIX_MIN_LENGTH else Q(key=key)

    def find(database: str) -> list[User]:
        users = User.objects.using(database).alias(key=Lower("username"))
        users = users.filter(matching, is_active=True, key__gt=after).exclude(pk=asking_id)
        return list(users.order_by("key")[:limit])

    return read_from_replica(find)


def list_contacts(owner_id: str, *, after: int = 0, limit: int) -> list[Contact]:
    """The user's contacts with their persons, in the order they were added, after a row's number."""
    rows = Contact.objects.filter(owner_id=owner_id, pk__gt=after).select_related("person")
    return list(rows.order_by("pk")[:limit])


def list_blocked(owner_id: str, *, after: int = 0, limit: int) -> list[Block]:
    """The user's blocks with their persons, in the order they were made, after a row's number."""
    rows = Block.objects.filter(owner_id=owner_id, pk__gt=after).select_related("person")
    return list(rows.order_by("pk")[:limit])


def list_devices(user_id: str, *, after: str = "", limit: int) -> list[Device]:
    """The user's devices whose credential has not run out, by id, after an id."""
    return list(Device.objects.filter(live_credentials(), user_id=user_id, pk__gt=after).order_by("pk")[:limit])


def device_exists(user_id: str, device_id: str) -> bool:
    """Whether the user has this device still."""
    return Device.objects.filter(pk=device_id, user_id=user_id).exists()


def find_device(credential_hash: str) -> Device | None:
    """The device of a credential with its user; None for an unknown, removed or expired one."""
    devices = Device.objects.filter(live_credentials(), credential_hash=credential_hash)
    return devices.select_related("user").first()


def list_live_credentials(credential_hashes: Sequence[str]) -> set[str]:
    """Those of the credentials that may still be used: not replaced, removed or expired, their user not suspended.

    One query: for a gateway that heard of a revocation, or may have missed one.
    """
    devices = Device.objects.filter(live_credentials(), credential_hash__in=credential_hashes, user__is_active=True)
    return set(devices.values_list("credential_hash", flat=True))


def list_account_ages(user_ids: Sequence[str]) -> dict[str, float]:
    """User → days since they registered; without those who do not exist or are staff."""
    now = timezone.now()
    rows = User.objects.filter(pk__in=user_ids, is_staff=False).values_list("id", "date_joined")
    return {user_id: (now - joined) / timedelta(days=1) for user_id, joined in rows}


def stale_before() -> datetime:
    """A device that was last seen before this no longer holds messages back."""
    return timezone.now() - timedelta(days=settings.DEVICE_STALE_DAYS)


# Written out: the relay asks this for every batch, and building the query anew cost five times what running it does.
_DELIVERY_FACTS = (
    "SELECT u.id, u.is_active, s.history_days, s.read_receipts, d.id"
    f" FROM {User._meta.db_table} u LEFT JOIN {UserSettings._meta.db_table} s ON s.user_id = u.id"
    f" LEFT JOIN {Device._meta.db_table} d ON d.user_id = u.id AND d.last_seen_at >= %s WHERE u.id IN ({{marks}})"
)
_BLOCKS = f"SELECT owner_id, person_id FROM {Block._meta.db_table} WHERE owner_id IN ({{marks}})"


def list_delivery_facts(user_ids: Sequence[str]) -> dict[str, DeliveryFacts]:
    """Delivery facts of each user that exists, in one query without model instances."""
    if not user_ids:
        return {}
    fresh = connection.ops.adapt_datetimefield_value(stale_before())
    choices: dict[str, tuple[bool, int, bool]] = {}
    devices: dict[str, list[str]] = {}
    for user_id, active, history_days, read_receipts, device_id in _rows(_DELIVERY_FACTS, user_ids, fresh):
        # A user without a settings row has the defaults of the model.
        choices[user_id] = (bool(active), history_days or 0, read_receipts is None or bool(read_receipts))
        if device_id is not None:
            devices.setdefault(user_id, []).append(device_id)
    return {
        user_id: DeliveryFacts(
            active=active,
            history_days=history_days,
            read_receipts=read_receipts,
            devices=tuple(sorted(devices.get(user_id, ()))),
        )
        for user_id, (active, history_days, read_receipts) in choices.items()
    }


def list_blocks(user_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Pairs (who blocks, who is blocked) of these blockers, in one query."""
    return {(owner_id, person_id) for owner_id, person_id in _rows(_BLOCKS, user_ids)} if user_ids else set()


def _rows(statement: str, user_ids: Sequence[str], *values: Any) -> list[tuple[Any, ...]]:
    marks = ", ".join(["%s"] * len(user_ids))
    with connection.cursor() as cursor:
        cursor.execute(statement.format(marks=marks), [*values, *user_ids])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
