"""One line on the terminal that tells how a load goes."""

import time
from collections.abc import Sequence
from typing import Protocol

from apps.loadtest.crowd import Crowd
from apps.loadtest.figures import Load, compute_quantiles
from apps.loadtest.load import Observer
from apps.loadtest.pair import Latencies, Pair
from apps.loadtest.writer import Writer


class Terminal(Protocol):
    """Where the line stands."""

    def write(self, text: str, *, ending: str) -> None:
        """Write without an end of line but the given."""


class LiveLine(Observer):
    """Rewrites its line each second: time, rate, latency of the last second, and what is on its way; of groups the
    deliveries.
    """

    def __init__(self, terminal: Terminal, load: Load) -> None:
        self._terminal = terminal
        self._whole = load.warmup_seconds + load.seconds
        self._began_at = self._last_at = time.perf_counter()
        self._acknowledged = self._measured = self._arrived = 0

    def look(self, pairs: Sequence[Pair], crowds: Sequence[Crowd], latencies: Latencies) -> None:
        """Write it anew."""
        writers: list[Writer] = [*pairs, *crowds]
        now, acknowledged = time.perf_counter(), sum(writer.acknowledged for writer in writers)
        rate = (acknowledged - self._acknowledged) / (now - self._last_at)
        recent = compute_quantiles(latencies.acknowledged[self._measured :])
        p99 = "warming up" if recent.p99 is None else f"✓ p99 {recent.p99:,.0f} ms"
        on_their_way = sum(pair.sent - pair.delivered for pair in pairs)
        refused = sum(writer.refusals.total() for writer in writers)
        in_groups = self._describe_groups(crowds, now - self._last_at) if crowds else ""
        self._terminal.write(
            f"\r{now - self._began_at:5.0f} of {self._whole:.0f} s   {rate:9,.0f} ✓/s   {p99}   "
            f"{on_their_way:,} without ✓✓   {in_groups}{refused:,} refused\033[K",
            ending="",
        )
        self._last_at, self._acknowledged, self._measured = now, acknowledged, len(latencies.acknowledged)

    def _describe_groups(self, crowds: Sequence[Crowd], seconds: float) -> str:
        before, self._arrived = self._arrived, sum(crowd.arrived for crowd in crowds)
        on_their_way = sum(not crowd.is_settled for crowd in crowds)
        return f"{(self._arrived - before) / seconds:,.0f} group deliveries/s   {on_their_way:,} groups wait   "

    def end_span(self) -> None:
        """Leave the line and wait for the rest."""
        self._terminal.write("", ending="\n")
