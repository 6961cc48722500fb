"""The consumer: reads messages from the log, and limits and reports who writes like a spammer."""

import logging
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections

from apps.accounts.selectors import list_account_ages, list_deleted
from apps.messagelog.base import LeaseLost, LogReader, LogRecord, LogUnavailable, MessageLog
from apps.moderation.services import report_spammer
from apps.protocol.records import BrokenRecord, MessageSubmitted, decode_record
from apps.spam.scoring import Thresholds, score
from apps.spam.tracking import track_messages
from apps.valkey.pools import ValkeyError

logger = logging.getLogger(__name__)

GROUP = "spam"
BATCH = 500
WAIT_MS = 1_000
PAUSE_SECONDS = 2.0


class SpamScorer:
    """Reads until ``stop``. It is behind the deliveries and never in their way: what it misses, it misses."""

    def __init__(self, log: MessageLog, reader_id: str) -> None:
        self._reader: LogReader = log.reader(GROUP, reader_id)
        self._stopping = False

    def stop(self) -> None:
        """Let ``run`` return after the batch under way; safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Score until stopped, whatever is down meanwhile."""
        while not self._stopping:
            try:
                records = self._reader.poll(BATCH, WAIT_MS)
                self._score_patiently(records)
            except LeaseLost as error:
                logger.warning("%s", error)
            except LogUnavailable as error:
                logger.warning("the log does not answer: %s", error)
                time.sleep(PAUSE_SECONDS)
        try:
            self._reader.close()
        except LogUnavailable as error:
            logger.warning("positions were not written at the end: %s", error)

    def _score_patiently(self, records: Sequence[LogRecord]) -> None:
        while records and not self._stopping:
            try:
                score_records(records)
            except (ValkeyError, DatabaseError, OSError) as error:
                logger.warning("spam scores wait: %s", error)
                close_old_connections()
                self._reader.rest(PAUSE_SECONDS)
                continue
            self._reader.commit(records)
            return


def score_records(records: Sequence[LogRecord]) -> None:
    """Let a batch count. Raises ValkeyError and database errors; may be repeated."""
    pairs = _list_pairs(records)
    # The log names a deleted user for as long as it is kept; nothing is to be known of them any more.
    deleted = list_deleted({user_id for pair in pairs for user_id in pair})
    standing = track_messages([pair for pair in pairs if deleted.isdisjoint(pair)], int(time.time() * 1000))
    if not standing:
        return
    thresholds = current_thresholds()
    ages = list_account_ages(list(standing))
    for user_id, activity in standing.items():
        if (days := ages.get(user_id)) is not None:
            found = score(activity, days, thresholds)
            if found.points >= 1.0:
                report_spammer(user_id, points=found.points, reason=found.reason)


def current_thresholds() -> Thresholds:
    """As the settings say."""
    return Thresholds(
        unanswered_hour=settings.SPAM_UNANSWERED_PER_HOUR,
        unanswered_day=settings.SPAM_UNANSWERED_PER_DAY,
        new_days=settings.SPAM_NEW_ACCOUNT_DAYS,
        new_share=settings.SPAM_NEW_ACCOUNT_PERCENT / 100,
        new_messages_hour=settings.SPAM_NEW_ACCOUNT_MESSAGES_PER_HOUR,
    )


def _list_pairs(records: Sequence[LogRecord]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for record in records:
        try:
            decoded = decode_record(record.payload)
        except BrokenRecord:
            continue  # the relay buries it
        if isinstance(decoded, MessageSubmitted) and decoded.receiver_id:
            pairs.append((decoded.sender_id, decoded.receiver_id))
    return pairs
