"""Metrics in Prometheus' text format: of all processes that share a folder, or of this one."""

from collections.abc import Iterable, Sequence

from prometheus_client import Metric, ProcessCollector, generate_latest, start_http_server
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.observability import metrics
from apps.observability.process_slots import forget_dead_processes, shared_folder

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The format that every Prometheus reads; our names need nothing newer."""


class SiteMetrics(Collector):
    """Everything counted so far; ``measured`` are metrics that were measured for this scrape."""

    def __init__(self, measured: Sequence[Metric] = ()) -> None:
        self._measured = measured

    def collect(self) -> Iterable[Metric]:
        """Gather at each scrape anew. Reads files: not for an event loop's thread."""
        folder = shared_folder()
        if folder is None:
            yield from metrics.registry.collect()
            yield from ProcessCollector(registry=None).collect()
        else:
            forget_dead_processes(folder)
            yield from MultiProcessCollector(None, str(folder)).collect()  # type: ignore[no-untyped-call]  # its library has no types there
        yield from self._measured


def render_metrics(measured: Sequence[Metric] = ()) -> bytes:
    """The answer to a scrape. Reads files: not for an event loop's thread."""
    return generate_latest(SiteMetrics(measured))


def serve_metrics(port: int) -> None:
    """Answer scrapes on a port of every address, in a thread, for a process that serves nothing else; 0: not at all.

    Raises OSError where the port is taken.
    """
    if port:
        start_http_server(port, registry=SiteMetrics())
