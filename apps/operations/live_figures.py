"""The site at a glance, for a page that asks every few seconds."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.core.cache import cache
from prometheus_client import Metric

from apps.connections.registry import count_connections_by_gateway
from apps.messagelog.base import LogStatus
from apps.observability.exposition import SiteMetrics
from apps.operations.health import PartHealth, monitor
from apps.operations.site_metrics import scraper
from apps.valkey.pools import ValkeyError

RATE_SAMPLE_KEY = "live:messages"
"""Django's cache: (time in s, messages accepted until then), 60 s. Shared, so that any process can say the rate."""

SHORTEST_SAMPLE_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxSizes:
    """How many messages wait in an inbox that has any: at most ``half`` in half of those that were looked at, at most
    ``most`` in 19 of 20. None is more than the largest that is told apart.
    """

    looked_at: int
    half: float | None
    most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """None is "not known now". ``lags`` are records that a group of the log has still to read."""

    parts: Mapping[str, PartHealth]
    connections: Mapping[str, int] | None
    messages_per_second: float | None
    lags: Mapping[str, int] | None
    dead_letters: int | None
    inboxes: InboxSizes

    @property
    def connections_in_all(self) -> int | None:
        """On every gateway together."""
        return None if self.connections is None else sum(self.connections.values())


async def collect_figures() -> LiveFigures:
    """All figures, within two seconds or so; never raises for a part that is down."""
    parts, status = await asyncio.gather(monitor.check_parts(), scraper.ask_log())
    metrics = await asyncio.to_thread(lambda: list(SiteMetrics().collect()))
    return LiveFigures(
        parts=parts,
        connections=await asyncio.to_thread(_ask_registry),
        messages_per_second=await asyncio.to_thread(_measure_rate, _total(metrics, "chatsite_messages", "accepted")),
        lags=None if status is None else lag_by_group(status),
        dead_letters=None if status is None else status.dead_letters,
        inboxes=describe_inboxes(_buckets(metrics, "chatsite_inbox_messages")),
    )


def lag_by_group(status: LogStatus) -> dict[str, int]:
    """Records that each group has still to read, of all partitions."""
    return {group: sum(status.lags(group)) for group in status.groups()}


def describe_inboxes(buckets: Sequence[tuple[float, float]]) -> InboxSizes:
    """Sizes from a histogram's (upper bound, count up to it), by bound."""
    looked_at = buckets[-1][1] if buckets else 0
    return InboxSizes(
        looked_at=int(looked_at), half=_bound(buckets, looked_at * 0.5), most=_bound(buckets, looked_at * 0.95)
    )


def _bound(buckets: Sequence[tuple[float, float]], count: float) -> float | None:
    found = next((bound for bound, up_to in buckets if up_to >= count), None)
    return None if found == float("inf") else found


def _ask_registry() -> dict[str, int] | None:
    try:
        return count_connections_by_gateway()
    except ValkeyError:
        return None


def _measure_rate(total: float) -> float | None:
    """Messages a second since the last sample that is old enough; None at the first look."""
    now = time.time()
    try:
        known: tuple[float, float] | None = cache.get(RATE_SAMPLE_KEY)
        if known is None or now - known[0] >= SHORTEST_SAMPLE_SECONDS:
            cache.set(RATE_SAMPLE_KEY, (now, total), timeout=60)
    except ValkeyError:
        return None
    if known is None or now <= known[0]:
        return None
    # A process that has ended takes its count along.
    return max(0.0, total - known[1]) / (now - known[0])


def _total(metrics: Iterable[Metric], name: str, stage: str) -> float:
    return sum(
        sample.value
        for metric in metrics
        if metric.name == name
        for sample in metric.samples
        if sample.name == f"{name}_total" and sample.labels.get("stage") == stage
    )


def _buckets(metrics: Iterable[Metric], name: str) -> list[tuple[float, float]]:
    found = [
        (float(sample.labels["le"]), sample.value)
        for metric in metrics
        if metric.name == name
        for sample in metric.samples
        if sample.name == f"{name}_bucket"
    ]
    return sorted(found)
