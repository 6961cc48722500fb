"""What is measured at a scrape, since nobody counts it: whether each part is ready, and how far readers are behind."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from ipaddress import IPv6Address, ip_address

from django.http import HttpRequest
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from apps.messagelog.base import LogStatus, LogUnavailable
from apps.messagelog.log import get_message_log
from apps.observability.exposition import render_metrics
from apps.operations.health import TIMEOUT_SECONDS, monitor

PROXY_HEADERS = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")


def may_scrape(request: HttpRequest) -> bool:
    """Whether this comes straight from this machine or a private network: what came through a proxy says so."""
    if any(header in request.headers for header in PROXY_HEADERS):
        return False
    try:
        peer = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return peer.is_loopback or peer.is_private


class SiteScraper:
    """Answers scrapes with threads of its own: files are read there, and a log that hangs costs one thread at most."""

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._files = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
        self._log = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log status")
        self._asked: Future[LogStatus | None] | None = None

    async def scrape(self) -> bytes:
        """Everything, in Prometheus' text format; what a part does not tell in time is left out."""
        parts, log = await asyncio.gather(monitor.check_parts(), self._measure_log())
        ready = measure_parts({name: part.ok for name, part in parts.items()})
        render = partial(render_metrics, [ready, *log])
        return await asyncio.get_running_loop().run_in_executor(self._files, render)

    async def _measure_log(self) -> Sequence[Metric]:
        status = await self.ask_log()
        return [] if status is None else measure_status(status)

    async def ask_log(self) -> LogStatus | None:
        """How the log stands; None where it does not say in time."""
        if self._asked is None or self._asked.done():
            self._asked = self._log.submit(_ask_log)
        asked = asyncio.wrap_future(self._asked)
        await asyncio.wait([asked], timeout=self._timeout_seconds)
        return asked.result() if asked.done() else None


def _ask_log() -> LogStatus | None:
    try:
        return get_message_log().status()
    except LogUnavailable:
        return None  # chatsite_part_ready says so


def measure_parts(ready: Mapping[str, bool]) -> Metric:
    """Which parts can do their work."""
    return _to_gauge("chatsite_part_ready", "Whether a part can do its work (1), as in /readyz.", "part", ready)


def measure_status(status: LogStatus) -> list[Metric]:
    """How far each consumer group is behind, and the dead letters."""
    lags = {group: status.lags(group) for group in status.groups()}
    total = {group: sum(each) for group, each in lags.items()}
    worst = {group: max(each) for group, each in lags.items()}
    return [
        _to_gauge("chatsite_log_lag_records", "Records that a group has still to read.", "group", total),
        _to_gauge("chatsite_log_lag_max_records", "The same of its worst partition.", "group", worst),
        GaugeMetricFamily("chatsite_dead_letters_kept", "Dead letters that the log holds.", status.dead_letters),
    ]


def _to_gauge(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(name, documentation, labels=[label])
    for value, measured in values.items():
        gauge.add_metric([value], measured)
    return gauge


scraper = SiteScraper()
