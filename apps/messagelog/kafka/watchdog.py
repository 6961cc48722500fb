"""Notices a consumer that has stopped working without an error, as clients of Kafka have been seen to."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

UNASSIGNED_SECONDS = 5.0
UNCHANGED_SECONDS = 3.0
"""Partitions change hands in two rebalances, and between them some are nobody's: only what stays so is a fault."""

STALLED_SECONDS = 10.0

Clock = Callable[[], float]
Shares = Mapping[str, tuple[int, ...]]


@dataclass(slots=True)
class Watchdog:
    """Is asked after every poll. Both suspicions are confirmed by facts from the cluster before anything is done.

    ``list_unread`` gives, of partition → last polled position, those with records behind it; ``list_incomplete_shares``
    gives each member's partitions where the group leaves some to nobody, else None.
    """

    list_unread: Callable[[Mapping[int, int]], Mapping[int, int]]
    list_incomplete_shares: Callable[[], Shares | None]
    clock: Clock = time.monotonic
    _unassigned_since: float | None = None
    _asked_at: float = field(default=float("-inf"))
    _shares: Shares | None = None
    _looked_at: float = field(default=float("-inf"))
    _unread: Mapping[int, int] = field(default_factory=dict)

    def find_fault(self, assigned: int, polled: Mapping[int, int], *, drained: bool) -> str:
        """What is wrong with the consumer, in words, or "". ``drained``: the poll took all that had been fetched."""
        return self._find_unassigned(assigned) or (self._find_stalled(polled) if drained else "")

    def _find_unassigned(self, assigned: int) -> str:
        now = self.clock()
        if assigned:
            self._unassigned_since, self._shares = None, None
        elif self._unassigned_since is None:
            self._unassigned_since = now
        elif now - self._unassigned_since >= UNASSIGNED_SECONDS and now - self._asked_at >= UNCHANGED_SECONDS:
            self._asked_at = now
            before, self._shares = self._shares, self.list_incomplete_shares()
            if self._shares is not None and self._shares == before:
                return f"no partitions for {now - self._unassigned_since:.0f} s, though some are nobody's"
        return ""

    def _find_stalled(self, polled: Mapping[int, int]) -> str:
        now = self.clock()
        if now - self._looked_at < STALLED_SECONDS:
            return ""
        self._looked_at = now
        before, self._unread = self._unread, self.list_unread(polled)
        stalled = sorted(partition for partition, at in self._unread.items() if before.get(partition) == at)
        return f"no records of partitions {stalled} for {STALLED_SECONDS:g} s, though there are some" if stalled else ""
