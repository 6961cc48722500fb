"""A histogram that takes a whole batch at once."""

from bisect import bisect_left
from collections.abc import Iterable

from prometheus_client import Histogram


class BatchHistogram(Histogram):
    """`Histogram` with `observe_batch`: one locked write for each bucket that was met, not two for each value."""

    def observe_batch(self, values: Iterable[float]) -> None:
        """Observe every value (of a histogram without labels, or of one child)."""
        bounds = self._upper_bounds
        counts: dict[int, int] = {}
        total = 0.0
        for value in values:
            total += value
            bucket = bisect_left(bounds, value)
            counts[bucket] = counts.get(bucket, 0) + 1
        if counts:
            self._sum.inc(total)
        for bucket, count in counts.items():
            self._buckets[bucket].inc(count)
