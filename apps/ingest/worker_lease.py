"""Leasing a Snowflake worker number from the users' database. Sync: run it off the event loop."""

import datetime
import secrets

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.ingest.models import WorkerLease

LEASE_SECONDS = 120
WORKERS = 1_024
ATTEMPTS = 20
CANDIDATES = 50
"""Of the leases that ran out, how many of the oldest are chosen from."""


class NoWorkerNumber(Exception):
    """All 1,024 worker numbers are leased."""


def lease_worker(holder: str) -> int:
    """Take a number that nobody holds: one whose lease ran out, else one never used. Raises NoWorkerNumber."""
    for _ in range(ATTEMPTS):
        worker_id = _try_lease(holder)
        if worker_id is not None:
            return worker_id
    raise NoWorkerNumber(f"of {ATTEMPTS} worker numbers each was taken by another gateway first; try again")


def _try_lease(holder: str) -> int | None:
    """A number, or None where another gateway was first. They choose at random: many may start at once."""
    now = timezone.now()
    expires_at = now + datetime.timedelta(seconds=LEASE_SECONDS)
    expired = list(WorkerLease.objects.filter(expires_at__lt=now).order_by("expires_at")[:CANDIDATES])
    if expired:
        chosen = secrets.choice(expired)
        # Conditional on what was read: another gateway may have taken it meanwhile.
        taken = WorkerLease.objects.filter(pk=chosen.pk, expires_at=chosen.expires_at).update(
            holder=holder, expires_at=expires_at
        )
        return chosen.worker_id if taken else None
    used = set(WorkerLease.objects.values_list("worker_id", flat=True))
    free = [number for number in range(WORKERS) if number not in used]
    if not free:
        raise NoWorkerNumber(f"all {WORKERS} worker numbers are leased: too many gateway processes")
    number = secrets.choice(free)
    try:
        with transaction.atomic():
            WorkerLease.objects.create(worker_id=number, holder=holder, expires_at=expires_at)
    except IntegrityError:
        return None
    return number


def renew_worker(worker_id: int, holder: str) -> bool:
    """Renew for LEASE_SECONDS from now; False where another holder has it, or the clock has stepped back.

    A lease is never made shorter: until it ends, ids may have been issued by the clock as it was.
    """
    expires_at = timezone.now() + datetime.timedelta(seconds=LEASE_SECONDS)
    mine = WorkerLease.objects.filter(worker_id=worker_id, holder=holder, expires_at__lte=expires_at)
    return bool(mine.update(expires_at=expires_at))


def release_worker(worker_id: int, holder: str) -> None:
    """Stop using the number; it is given out again only when its lease would have ended, for ids must not repeat."""
    renew_worker(worker_id, holder)
