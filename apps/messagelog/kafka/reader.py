"""The reading side of the Kafka log: a member of a consumer group, with a share of the partitions."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, RebalanceInProgressError

from apps.messagelog.base import GENERATION_SHIFT, LogNotSetUp, LogRecord, LogUnavailable
from apps.messagelog.kafka.consumer import LONGEST_WAIT_MS, REQUEST_TIMEOUT_MS, join_group, poll_through
from apps.messagelog.kafka.group import ReaderGroup
from apps.messagelog.kafka.intake import Intake
from apps.messagelog.kafka.progress import Progress
from apps.messagelog.kafka.rebalance import HandOver
from apps.messagelog.kafka.topics import LogTopic
from apps.messagelog.kafka.trimmer import ListCommitted, Trimmer
from apps.messagelog.kafka.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

COMMIT_MS = 100
"""Positions are written at most so often under load: a takeover repeats no more than this, with no effect."""

LAST_POSITIONS_SECONDS = 2.0
"""For a rebalance to end in which a reader that leaves has been caught: nothing can be written before."""

STRAGGLERS = 1_000
LOOK_TIMEOUT_MS = 1_000


class KafkaReader:
    """LogReader on Kafka. A consumer that fails or stalls is replaced by a new one at the next poll."""

    def __init__(
        self,
        group: ReaderGroup,
        find_log: Callable[[], LogTopic | None],
        make_trimmer: Callable[[ListCommitted], Trimmer] | None,
    ) -> None:
        self._group = group
        self._find_log = find_log
        self._trimmer = make_trimmer(self._list_committed) if make_trimmer else None
        self._progress = Progress()
        self._intake = Intake(group, self._progress)
        self._hand_over = HandOver(self._progress, self._write)
        self._watchdog = Watchdog(self._list_unread, self._list_incomplete_shares)
        self._consumer: Any = None
        self._topic: Any = None
        self._unread: list[LogRecord] = []
        self._writing: Any = None
        self._written_at = float("-inf")

    def poll(self, limit: int, wait_ms: int) -> list[LogRecord]:
        """See LogReader."""
        with self._replacing_what_fails():
            consumer = self._consumer or self._join()
            self._end_rest()
            if self._unread:
                records, self._unread = self._unread, []
                return [record for record in records if not self._progress.is_new(record.partition)]
            self._write_positions()
            records = self._intake.take(self._topic.generation, poll_through(consumer, wait_ms, limit))
            self._look_for_faults(drained=len(records) < limit)
            return records

    def commit(self, records: Sequence[LogRecord]) -> None:
        """See LogReader."""
        # Of a log that was replaced meanwhile: its positions say nothing of the new one.
        generation = self._topic.generation if self._topic is not None else 0
        self._progress.note_done([one for one in records if one.sequence >> GENERATION_SHIFT == generation])

    def rest(self, seconds: float) -> None:
        """See LogReader. Partitions are paused; rebalances go on, and what goes elsewhere does not wait for us."""
        deadline = time.monotonic() + seconds
        with self._replacing_what_fails():
            while self._consumer is not None:
                self._begin_rest()
                self._write_positions()
                left_ms = max(0.0, (deadline - time.monotonic()) * 1000)
                # None should come; one that does is not lost.
                found = poll_through(self._consumer, left_ms, STRAGGLERS)
                self._unread += self._intake.take(self._topic.generation, found)
                if left_ms <= LONGEST_WAIT_MS:
                    return
        time.sleep(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """See LogReader."""
        if self._trimmer is not None:
            self._trimmer.close()
        if self._consumer is None:
            return
        try:
            self._write_last_positions()
        except KafkaError as error:
            raise LogUnavailable(f"Kafka: {error!r}") from error
        finally:
            self._drop()

    def _write_last_positions(self) -> None:
        give_up_at = time.monotonic() + LAST_POSITIONS_SECONDS
        self._begin_rest()
        while positions := self._progress.unwritten():
            try:
                self._consumer.commit(self._to_offsets(positions), timeout_ms=REQUEST_TIMEOUT_MS)
                return
            except RebalanceInProgressError:
                if time.monotonic() > give_up_at:
                    raise
                poll_through(self._consumer, 0, STRAGGLERS)

    # -- membership -----------------------------------------------------------------------------------------------

    def _join(self) -> Any:
        topic = self._find_log()
        if topic is None:
            raise LogNotSetUp("the log is not set up")
        consumer = join_group(self._group.client_options, topic.name, self._hand_over)
        self._hand_over.consumer, self._hand_over.resting = consumer, False
        self._consumer, self._topic = consumer, topic
        return consumer

    @contextmanager
    def _replacing_what_fails(self) -> "Iterator[None]":
        try:
            yield
        except LogUnavailable:
            self._drop()
            raise
        except (KafkaError, OSError, RuntimeError, ValueError) as error:
            self._drop()
            raise LogUnavailable(f"Kafka: {error!r}") from error

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._leave(consumer)

    def _leave(self, consumer: Any) -> None:
        """At once: nothing is waited for and nothing written any more."""
        self._progress.forget_all()
        self._unread, self._writing = [], None
        try:
            consumer.close(autocommit=False, timeout_ms=1_000)
        except (KafkaError, OSError, RuntimeError) as error:
            logger.warning("a Kafka consumer did not leave its group in order: %r", error)

    def _begin_rest(self) -> None:
        self._hand_over.resting = True
        for partition in self._consumer.assignment():
            with suppress(KeyError):  # it went elsewhere meanwhile: rebalances are the client's own thread's
                self._consumer.pause(partition)

    def _end_rest(self) -> None:
        self._hand_over.resting = False
        # Asked at each poll: a partition that came as the rest ended may have been paused after that.
        for partition in self._consumer.paused():
            with suppress(KeyError):
                self._consumer.resume(partition)

    # -- positions ------------------------------------------------------------------------------------------------

    def _to_offsets(self, positions: Mapping[int, int]) -> dict[TopicPartition, OffsetAndMetadata]:
        """A position is the offset of the record after it: the next one to read."""
        return {
            TopicPartition(self._topic.name, partition): OffsetAndMetadata(position, "", -1)
            for partition, position in positions.items()
        }

    def _write(self, positions: dict[int, int]) -> Any:
        """Begin to write; returns the client's future, which fails if the partitions are no longer ours."""
        writing = self._hand_over.consumer.commit_async(self._to_offsets(positions))
        writing.add_callback(lambda _: self._progress.note_written(positions))
        return writing

    def _write_positions(self) -> None:
        now = time.monotonic()
        if (now - self._written_at) * 1000 < COMMIT_MS or (self._writing and not self._writing.is_done):
            return
        if positions := self._progress.unwritten():
            self._written_at = now
            self._writing = self._write(positions)

    def _list_committed(self) -> Mapping[TopicPartition, int]:
        """The group's positions in our partitions; asked by the trimmer's thread."""
        consumer = self._consumer
        partitions = consumer.assignment() if consumer is not None else None
        return self._group.list_committed(partitions) if partitions else {}

    # -- faults ---------------------------------------------------------------------------------------------------

    def _look_for_faults(self, *, drained: bool) -> None:
        assigned = len(self._consumer.assignment())
        if fault := self._watchdog.find_fault(assigned, self._progress.polled(), drained=drained):
            logger.error("a Kafka consumer is replaced: %s", fault)
            raise LogUnavailable(fault)

    def _list_incomplete_shares(self) -> Mapping[str, tuple[int, ...]] | None:
        try:
            return self._group.list_incomplete_shares(self._topic)
        except LogUnavailable:
            return None  # a cluster that does not say is no fault of the consumer

    def _list_unread(self, polled: Mapping[int, int]) -> Mapping[int, int]:
        """Of the partitions assigned, those with records after what was polled or, if nothing was yet, committed."""
        assigned = list(self._consumer.assignment())
        try:
            ends = self._consumer.end_offsets(assigned, timeout_ms=LOOK_TIMEOUT_MS) if assigned else {}
            untouched = [one for one in assigned if one.partition not in polled and ends[one]]
            committed = self._group.list_committed(untouched) if untouched else {}
            # What was trimmed is not unread, even where the cluster has forgotten the group's position.
            begins = self._consumer.beginning_offsets(untouched, timeout_ms=LOOK_TIMEOUT_MS) if untouched else {}
        except (KafkaError, LogUnavailable):
            return {}
        read = {
            one.partition: polled.get(one.partition, max(committed.get(one, 0), begins.get(one, 0))) for one in assigned
        }
        return {one.partition: read[one.partition] for one in assigned if ends[one] > read[one.partition]}
