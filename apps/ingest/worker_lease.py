"""Leasing a Snowflake worker number from the users' database. Sync: run it off the event loop."""

import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.ingest.models import WorkerLease

LEASE_SECONDS = 120
WORKERS = 1_024


class NoWorkerNumber(Exception):
    """All 1,024 worker numbers are leased."""


def lease_worker(holder: str) -> int:
    """Take a number that nobody holds: a never used one, or the one that ran out longest ago. Raises NoWorkerNumber."""
    for _ in range(20):
        worker_id = _try_lease(holder)
        if worker_id is not None:
            return worker_id
    raise NoWorkerNumber(f"all {WORKERS} worker numbers are leased: too many gateway processes")


def _try_lease(holder: str) -> int | None:
    now = timezone.now()
    expires_at = now + datetime.timedelta(seconds=LEASE_SECONDS)
    expired = WorkerLease.objects.filter(expires_at__lt=now).order_by("expires_at").first()
    if expired is not None:
        # Conditional on what was read: another gateway may have taken it meanwhile.
        taken = WorkerLease.objects.filter(pk=expired.pk, expires_at=expired.expires_at).update(
            holder=holder, expires_at=expires_at
        )
        return expired.worker_id if taken else None
    used = set(WorkerLease.objects.values_list("worker_id", flat=True))
    free = next((number for number in range(WORKERS) if number not in used), None)
    if free is None:
        raise NoWorkerNumber(f"all {WORKERS} worker numbers are leased: too many gateway processes")
    try:
        with transaction.atomic():
            WorkerLease.objects.create(worker_id=free, holder=holder, expires_at=expires_at)
    except IntegrityError:
        return None
    return free


def renew_worker(worker_id: int, holder: str) -> bool:
    """Renew for LEASE_SECONDS from now; False where another holder has it."""
    expires_at = timezone.now() + datetime.timedelta(seconds=LEASE_SECONDS)
    return bool(WorkerLease.objects.filter(worker_id=worker_id, holder=holder).update(expires_at=expires_at))


def release_worker(worker_id: int, holder: str) -> None:
    """Stop using the number; it is given out again only when its lease would have ended, for ids must not repeat."""
    renew_worker(worker_id, holder)
