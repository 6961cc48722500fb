"""Reputation: who has written like a spammer may write less for a while, and is told by `rate_limited`, as always."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.announcements import announce_facts
from apps.accounts.models import Reputation, User


@transaction.atomic
def lower_reputation(user_id: str, *, points: float, reason: str) -> bool:
    """Limit a user from now on; returns whether that is new. Nothing changes for one who is limited already, or whom a
    moderator has spared.
    """
    if not _lock(user_id):
        return False
    row, _ = Reputation.objects.get_or_create(user_id=user_id)
    now = timezone.now()
    if row.is_limited or (row.spared_until is not None and row.spared_until > now):
        return False
    row.points, row.reason = points, reason
    row.messages_per_minute = settings.SPAM_LIMIT_PER_MINUTE
    row.limited_until = now + timedelta(hours=settings.SPAM_LIMIT_HOURS)
    row.times_limited += 1
    row.save()
    announce_facts([user_id])
    return True


@transaction.atomic
def restore_reputation(user_id: str) -> None:
    """Give a user the usual limit back, whatever was found, and spare them for as long as the limit would have lasted:
    the next message would only bring back what was found. Nothing happens to one of whom nothing was found.
    """
    _lock(user_id)
    found = Reputation.objects.filter(user_id=user_id)
    found.update(spared_until=timezone.now() + timedelta(hours=settings.SPAM_LIMIT_HOURS))
    _lift_limits([user_id], found.filter(limited_until__isnull=False))


@transaction.atomic
def lift_expired_limits() -> int:
    """Give the usual limit back to those whose time is over, 1,000 at most. Returns how many."""
    expired = Reputation.objects.filter(limited_until__lte=timezone.now())
    user_ids = list(expired.values_list("user_id", flat=True)[:1_000])
    return _lift_limits(user_ids, expired.filter(user_id__in=user_ids))


def _lock(user_id: str) -> bool:
    """One at a time for each user; False where there is none."""
    return User.objects.select_for_update().filter(pk=user_id).exists()


def _lift_limits(user_ids: Sequence[str], limited: QuerySet[Reputation]) -> int:
    lifted = limited.update(limited_until=None, messages_per_minute=None)
    if lifted:
        announce_facts(user_ids)
    return lifted
