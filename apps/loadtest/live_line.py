"""One line on the terminal that tells how a load goes."""

import time
from collections.abc import Sequence
from typing import Protocol

from apps.loadtest.figures import Load, compute_quantiles
from apps.loadtest.load import Observer
from apps.loadtest.pair import Latencies, Pair


class Terminal(Protocol):
    """Where the line stands."""

    def write(self, text: str, *, ending: str) -> None:
        """Write without an end of line but the given."""


class LiveLine(Observer):
    """Rewrites its line each second: time, rate, latency of the last second, and what is on its way."""

    def __init__(self, terminal: Terminal, load: Load) -> None:
        self._terminal = terminal
        self._whole = load.warmup_seconds + load.seconds
        self._began_at = self._last_at = time.perf_counter()
        self._acknowledged = self._measured = 0

    def look(self, pairs: Sequence[Pair], latencies: Latencies) -> None:
        """Write it anew."""
        now, acknowledged = time.perf_counter(), sum(pair.acknowledged for pair in pairs)
        rate = (acknowledged - self._acknowledged) / (now - self._last_at)
        recent = compute_quantiles(latencies.acknowledged[self._measured :])
        p99 = "warming up" if recent.p99 is None else f"✓ p99 {recent.p99:,.0f} ms"
        on_their_way = sum(pair.sent - pair.delivered for pair in pairs)
        refused = sum(sum(pair.refusals.values()) for pair in pairs)
        self._terminal.write(
            f"\r{now - self._began_at:5.0f} of {self._whole:.0f} s   {rate:9,.0f} ✓/s   {p99}   "
            f"{on_their_way:,} without ✓✓   {refused:,} refused\033[K",
            ending="",
        )
        self._last_at, self._acknowledged, self._measured = now, acknowledged, len(latencies.acknowledged)

    def end_span(self) -> None:
        """Leave the line and wait for the rest."""
        self._terminal.write("", ending="\n")
