"""What is old and behind the relay leaves the log. Nothing else does: the topic has no retention of its own."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from kafka import TopicPartition

from apps.messagelog.base import LogUnavailable
from apps.messagelog.kafka.admin import Admin

logger = logging.getLogger(__name__)

TRIM_SECONDS = 60.0
UNKNOWN_OFFSET = -1

ListCommitted = Callable[[], Mapping[TopicPartition, int]]


class Trimmer:
    """Trims the partitions of one reader, once a minute, in a thread of its own.

    ``list_committed`` gives the group's position in each of them; ``kept_ms`` is for how long records stay at least.
    """

    def __init__(self, admin: Admin, kept_ms: int, list_committed: ListCommitted) -> None:
        self._admin = admin
        self._kept_ms = kept_ms
        self._list_committed = list_committed
        self._trimmed: dict[TopicPartition, int] = {}
        self._ending = threading.Event()
        threading.Thread(target=self._run, name="kafka trimmer", daemon=True).start()

    def close(self) -> None:
        """End after the round under way, without waiting for it."""
        self._ending.set()

    def trim(self) -> None:
        """Delete what every partition can do without. Raises LogUnavailable."""
        behind = {partition: position for partition, position in self._list_committed().items() if position}
        if not behind:
            return
        oldest_kept_ms = int(time.time() * 1000) - self._kept_ms
        times = dict.fromkeys(behind, oldest_kept_ms)
        kept = self._admin.ask(lambda client: client.list_partition_offsets(times))
        cuts = {
            # No offset: everything in the partition is older.
            one: position if kept[one].offset == UNKNOWN_OFFSET else min(position, kept[one].offset)
            for one, position in behind.items()
        }
        new = {one: offset for one, offset in cuts.items() if offset > self._trimmed.get(one, 0)}
        if new:
            self._admin.ask(lambda client: client.delete_records(new))
            self._trimmed |= new

    def _run(self) -> None:
        while not self._ending.wait(TRIM_SECONDS):
            try:
                self.trim()
            except LogUnavailable as error:
                logger.warning("the log was not trimmed, it is tried again: %s", error)
