"""Partitions come and go: what is under way is finished and written down before another reader takes over."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from kafka import TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.errors import KafkaError

from apps.messagelog.kafka.progress import Progress

logger = logging.getLogger(__name__)

HAND_OVER_SECONDS = 3.0
"""How long partitions that go elsewhere wait for what is under way. Later the next reader repeats it, harmlessly."""

LOOK_SECONDS = 0.01


class HandOver(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # untyped library
    """Listens to the consumer's rebalances, in its client's own thread and loop, where heartbeats go on meanwhile.

    The consumer is cooperative: a partition is given to the next reader only after this has returned.
    """

    def __init__(self, progress: Progress, write: Callable[[dict[int, int]], Any]) -> None:
        self._progress = progress
        self._write = write
        self.consumer: Any = None
        self.resting = False
        """The reader takes no records, since what it has cannot take effect: nobody need wait for it."""

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """They go to another reader in order: finish, write down, forget."""
        partitions = {partition.partition for partition in revoked}
        deadline = time.monotonic() + HAND_OVER_SECONDS
        while not self.resting and not self._progress.is_settled(partitions) and time.monotonic() < deadline:
            # Its loop is its own: it has no public way to sleep, and no other to let it go on.
            await self.consumer._net.sleep(LOOK_SECONDS)
        if positions := self._progress.unwritten(partitions):
            try:
                await self._write(positions)
            except KafkaError as error:
                logger.warning("positions of partitions given up were not written: %r", error)
        self._progress.forget(partitions)

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """They went to another reader long ago: what was done will be repeated, with no effect."""
        logger.warning("partitions were lost to other readers: %s", sorted(one.partition for one in lost))
        self._progress.forget(one.partition for one in lost)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """New ones start from what the group committed."""
        self._progress.forget(one.partition for one in assigned)
        if self.resting:
            for partition in assigned:
                with suppress(KeyError):
                    self.consumer.pause(partition)
