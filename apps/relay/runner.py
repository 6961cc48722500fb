"""The relay process: poll, store, deliver, commit. A fault of a dependency waits, one of a record is a dead letter."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from django.db import DataError, IntegrityError, close_old_connections
from django.db import Error as DatabaseError

from apps.messagelog.base import LeaseLost, LogNotSetUp, LogReader, LogRecord, LogUnavailable, MessageLog
from apps.messagestore.base import StoreUnavailable
from apps.observability.metrics import DEAD_LETTERS, PAUSES
from apps.relay.delivery_lane import DeliveryLane
from apps.relay.dependencies import name_dependency
from apps.relay.group_hints import GroupHinter
from apps.relay.pipeline import RelayPipeline, Stored
from apps.valkey.pools import ValkeyError

logger = logging.getLogger(__name__)

GROUP = "relay"
BATCH = 2_400
"""Records a poll gives at most, over all partitions."""

BATCH_CHARACTERS = 1_048_576
"""Of records that are stored together: one that confirms 500 messages is 500 changes, so their number says little."""

WAIT_MS = 1_000
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
TRIES_OF_A_RECORD = 5
LAST_BATCH_SECONDS = 5.0

DEPENDENCY_DOWN = (StoreUnavailable, ValkeyError, DatabaseError, OSError)
FAULT_OF_A_RECORD = (DataError, IntegrityError)
"""The only errors of a database that tell of what is written; by the others it may be that no record can be."""

NO_FAULT_OF_A_RECORD = (*DEPENDENCY_DOWN, LogUnavailable, LeaseLost)


class RelayRunner:
    """Reads the log for the group ``relay`` until ``stop``. ``set_up_log`` makes a log usable that is new."""

    def __init__(
        self,
        *,
        log: MessageLog,
        pipeline: RelayPipeline,
        lane: DeliveryLane,
        reader_id: str,
        set_up_log: Callable[[], int],
        hinter: GroupHinter,
    ) -> None:
        self._log = log
        self._hinter = hinter
        self._set_up_log = set_up_log
        self._pipeline = pipeline
        self._lane = lane
        self._reader: LogReader = log.reader(GROUP, reader_id)
        self._stopping = False

    def stop(self) -> None:
        """Let ``run`` return after the batch under way; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Relay until stopped, whatever is down meanwhile."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping:
            try:
                self._relay_once()
                pause = FIRST_PAUSE_SECONDS
            except LeaseLost as error:
                logger.warning("%s", error)
            except (LogUnavailable, *DEPENDENCY_DOWN) as error:
                PAUSES[name_dependency(error)].inc()
                logger.warning("the log does not answer: %s", error)
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._lane.close(LAST_BATCH_SECONDS)
        try:
            self._reader.close()
        except LogUnavailable as error:
            logger.warning("positions were not written at the end: %s", error)

    def _relay_once(self) -> None:
        try:
            records = self._reader.poll(BATCH, WAIT_MS)
        except LogNotSetUp:
            logger.warning("the log is new or came back empty: it gets a generation of its own")
            self._set_up_log()
            return
        for batch in _cut(records):
            self._deliver(self._store(batch), batch)
        self._hinter.look()

    def _deliver(self, stored: Stored, records: Sequence[LogRecord]) -> None:
        """Hand a stored batch to the lane; it is committed when its changes took effect.

        Unless we stop: then it is read again after a restart.
        """
        while not self._stopping and not self._lane.submit(stored.changes, partial(self._finish, stored, records)):
            self._reader.rest(0)

    def _finish(self, stored: Stored, records: Sequence[LogRecord]) -> None:
        self._hinter.pass_on(stored.hints)
        self._reader.commit(records)

    def _store(self, records: Sequence[LogRecord]) -> Stored:
        """Store a batch: wait while a dependency is down; where a record is at fault find it by halves."""
        try:
            return self._store_patiently(records)
        except Exception as error:
            if not _is_fault_of_a_record(error):
                raise
            if len(records) == 1:
                return self._try_again(records[0], error)
            logger.exception("a batch of %d records failed; taking it apart", len(records))
            middle = len(records) // 2
            stored = self._store(records[:middle])
            stored.add(self._store(records[middle:]))
            return stored

    def _store_patiently(self, records: Sequence[LogRecord]) -> Stored:
        stored = self._try_patiently(lambda: self._pipeline.store_batch(records))
        for broken, reason in stored.broken:
            self._bury(broken, reason)
        return stored

    def _try_patiently(self, work: Callable[[], Stored]) -> Stored:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return work()
            except FAULT_OF_A_RECORD:
                raise
            except DEPENDENCY_DOWN as error:
                if self._stopping:
                    raise LogUnavailable("stopped while a dependency was down") from error
                PAUSES[name_dependency(error)].inc()
                logger.warning("a dependency is down, the batch waits: %s", error)
                close_old_connections()
                self._reader.rest(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _try_again(self, record: LogRecord, error: Exception) -> Stored:
        for _ in range(TRIES_OF_A_RECORD - 1):
            try:
                return self._store_patiently([record])
            except Exception as again:
                if not _is_fault_of_a_record(again):
                    raise
                error = again
        self._bury(record, repr(error))
        return self._withdraw(record)

    def _bury(self, record: LogRecord, reason: str) -> None:
        logger.error("record %d of partition %d is a dead letter: %s", record.position, record.partition, reason)
        while True:
            try:
                self._log.bury(record, reason)
                DEAD_LETTERS.inc()
                return
            except LogUnavailable:
                # Its batch is stored already and must not be left behind.
                if self._stopping:
                    raise
                self._reader.rest(LONGEST_PAUSE_SECONDS)

    def _withdraw(self, record: LogRecord) -> Stored:
        """A late ``failed`` for the sender, if the record can be read at all."""
        try:
            return self._try_patiently(lambda: self._pipeline.withdraw(record))
        except Exception as error:
            if not _is_fault_of_a_record(error):
                raise
            logger.exception("the sender of a dead letter was not told")
            return Stored()


def _is_fault_of_a_record(error: Exception) -> bool:
    return isinstance(error, FAULT_OF_A_RECORD) or not isinstance(error, NO_FAULT_OF_A_RECORD)


def _cut(records: Sequence[LogRecord]) -> Iterator[Sequence[LogRecord]]:
    """Slices of so many bytes at most, in order; a record that is longer is a slice of its own."""
    first, size = 0, 0
    for index, record in enumerate(records):
        if size + len(record.payload) > BATCH_CHARACTERS and index > first:
            yield records[first:index]
            first, size = index, 0
        size += len(record.payload)
    if first < len(records):
        yield records[first:]
