"""Celery's door: the sign of life of the workers, their metrics, and what reaches into all parts of the site."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from apps.observability import task_metrics  # noqa: F401 (importing it listens to Celery's signals)
from apps.observability.exposition import serve_metrics
from apps.operations.erasure import carry_out_account_erasures
from apps.operations.keys import WORKER_CANARY, WORKER_CANARY_TTL_SECONDS
from apps.valkey.pools import sync_client


@shared_task(name="operations.canary")
def canary() -> None:
    """Show that a worker takes tasks and runs them; beat sends one every 10 s."""
    sync_client(settings.REDIS_URL).set(WORKER_CANARY, "1", ex=WORKER_CANARY_TTL_SECONDS)


@shared_task(name="operations.erase_deleted_users")
def erase_deleted_users() -> None:
    """What the site still holds of users who were deleted."""
    carry_out_account_erasures()


@worker_ready.connect
def send_first_canary(**_: Any) -> None:
    """Send one at the start of a worker, so that readiness does not wait for beat."""
    canary.delay()


@worker_ready.connect
def answer_scrapes(**_: Any) -> None:
    """Serve the metrics of the worker and its children, where METRICS_PORT says so."""
    serve_metrics(settings.METRICS_PORT)
