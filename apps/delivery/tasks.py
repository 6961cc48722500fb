"""Celery's doors to delivery. Every task is idempotent and only a hint: what a lost one left, a sweep finds."""

import logging
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from celery import shared_task
from django.conf import settings

from apps.connections.bus import BusSender
from apps.delivery.drain import drain, to_request
from apps.delivery.fan_out import fan_out
from apps.delivery.group_counts import count_group
from apps.delivery.group_sweep import sweep_behind, sweep_counts
from apps.delivery.retention import carry_out_erasures, purge_expired
from apps.delivery.sweep import release_device, sweep_inboxes, sweep_page
from apps.messagestore.base import StoreUnavailable
from apps.valkey.pools import ValkeyError, sync_client

logger = logging.getLogger(__name__)

SWEEP_LOCK_KEY = "sweep:lock"
"""STRING, 50 s: one sweep at a time."""

TRY_AGAIN = (ValkeyError, StoreUnavailable)


@shared_task(name="delivery.drain")
def drain_inboxes(requests: Sequence[Sequence[Any]]) -> None:
    """One window for each of these connections."""
    _drain(requests)


@shared_task(name="delivery.drain_gaps")
def drain_gaps(requests: Sequence[Sequence[Any]]) -> None:
    """The same for live connections that missed a push: a queue of its own, so that reconnects never delay it."""
    _drain(requests)


def _drain(requests: Sequence[Sequence[Any]]) -> None:
    try:
        drain([to_request(fields) for fields in requests], bus_sender())
    except TRY_AGAIN:
        logger.warning("drain of %d inboxes failed; the connections ask again", len(requests), exc_info=True)


@shared_task(name="delivery.sweep")
def sweep() -> None:
    """The next pages of the slow sweep."""
    lock = sync_client(settings.REDIS_URL).set(SWEEP_LOCK_KEY, "1", nx=True, ex=50)
    if lock:
        try:
            sweep_page(bus_sender())
            sweep_inboxes()
        finally:
            sync_client(settings.REDIS_URL).delete(SWEEP_LOCK_KEY)


@shared_task(name="delivery.purge")
def purge() -> None:
    """What is past its time."""
    purge_expired()


@shared_task(name="delivery.erase")
def erase() -> None:
    """What users no longer want kept."""
    carry_out_erasures()


@shared_task(name="delivery.forget_device")
def forget_device(user_id: str, device_id: str) -> None:
    """A device was removed: nothing waits for it any more."""
    release_device(user_id, device_id, int(time.time() * 1000))


@shared_task(name="groups.fan_out")
def fan_out_groups(group_ids: Sequence[str]) -> None:
    """What is stored of these groups and not fanned out yet."""
    for group_id in group_ids:
        try:
            fan_out(group_id, bus_sender())
        except TRY_AGAIN:
            logger.warning("the fan-out of %s was cut off; the sweep goes on", group_id, exc_info=True)


@shared_task(name="groups.count")
def count_groups(group_ids: Sequence[str]) -> None:
    """How many members have these groups' messages."""
    for group_id in group_ids:
        try:
            count_group(group_id, bus_sender())
        except TRY_AGAIN:
            logger.warning("the count of %s was cut off; it is due again", group_id, exc_info=True)


@shared_task(name="groups.sweep")
def sweep_groups() -> None:
    """Fan-outs that were cut off, and counts that nobody was asked for."""
    sweep_behind(bus_sender())
    sweep_counts(bus_sender())


@lru_cache(maxsize=1)
def bus_sender() -> BusSender:
    """This worker process's sender."""
    return BusSender()
