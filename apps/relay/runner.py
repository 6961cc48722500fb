"""The relay process: poll, process, commit; a fault of a dependency waits, a fault of a record goes to the dead
letters.
"""

import logging
import secrets
import socket
import time
from collections.abc import Callable, Sequence

from django.db import InterfaceError, OperationalError, close_old_connections

from apps.messagelog.base import LeaseLost, LogNotSetUp, LogReader, LogRecord, LogUnavailable, MessageLog
from apps.messagestore.base import StoreUnavailable
from apps.relay.pipeline import RelayPipeline
from apps.valkey.pools import ValkeyError

logger = logging.getLogger(__name__)

GROUP = "relay"
BATCH = 2_400
"""Records a poll gives at most, over all partitions."""

WAIT_MS = 1_000
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
TRIES_OF_A_RECORD = 5

DEPENDENCY_DOWN = (StoreUnavailable, ValkeyError, OperationalError, InterfaceError, OSError)


class RelayRunner:
    """Reads the log for the group ``relay`` until ``stop``. ``set_up_log`` makes a log usable that is new."""

    def __init__(self, log: MessageLog, pipeline: RelayPipeline, reader_id: str, set_up_log: Callable[[], int]) -> None:
        self._log = log
        self._set_up_log = set_up_log
        self._pipeline = pipeline
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
                logger.warning("the log does not answer: %s", error)
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
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
        if records:
            self._process(records)
            self._reader.commit(records)

    def _process(self, records: Sequence[LogRecord]) -> None:
        """Process a batch: wait while a dependency is down; where a record is at fault find it by halves."""
        try:
            self._process_patiently(records)
        except (*DEPENDENCY_DOWN, LogUnavailable):
            raise
        except Exception as error:
            if len(records) == 1:
                self._try_again(records[0], error)
                return
            logger.exception("a batch of %d records failed; taking it apart", len(records))
            middle = len(records) // 2
            self._process(records[:middle])
            self._process(records[middle:])

    def _process_patiently(self, records: Sequence[LogRecord]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                for broken, reason in self._pipeline.process(records):
                    self._bury(broken, reason)
                return
            except DEPENDENCY_DOWN as error:
                if self._stopping:
                    raise LogUnavailable("stopped while a dependency was down") from error
                logger.warning("a dependency is down, the batch waits: %s", error)
                close_old_connections()
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _try_again(self, record: LogRecord, error: Exception) -> None:
        for _ in range(TRIES_OF_A_RECORD - 1):
            try:
                self._process_patiently([record])
                return
            except (*DEPENDENCY_DOWN, LogUnavailable):
                raise
            except Exception as again:  # noqa: BLE001  (whatever it is, the record is at fault)
                error = again
        self._bury(record, repr(error))
        self._tell_failed(record)

    def _bury(self, record: LogRecord, reason: str) -> None:
        logger.error("record %d of partition %d is a dead letter: %s", record.position, record.partition, reason)
        self._log.bury(record, reason)

    def _tell_failed(self, record: LogRecord) -> None:
        """A late ``failed`` for the sender, if the record can be read at all."""
        try:
            self._pipeline.withdraw(record)
        except Exception:
            logger.exception("the sender of a dead letter was not told")


def new_reader_id() -> str:
    """A name for one relay process, which nobody else ever has: its host, for operators, and a random part."""
    return f"{socket.gethostname()}-{secrets.token_hex(6)}"
