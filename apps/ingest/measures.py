"""What the metrics are told of a batch: once a batch, since a call a message would cost more than its parsing."""

import time
from collections.abc import Sequence

from prometheus_client import Gauge

from apps.ingest.submission import MessageSubmission
from apps.observability.metrics import ACK_SECONDS, INGEST_BATCH, INGEST_HELD, INGEST_QUEUE
from apps.observability.stages import note_stage

_shown: dict[Gauge, int] = {}
"""What the gauges stand at; they mostly stay at 0, and setting one costs more than this look."""


def measure_batch(records: int, messages: Sequence[MessageSubmission]) -> None:
    """A batch of so many records is durable, and the senders of its messages have been told just now."""
    INGEST_BATCH.observe(records)
    note_stage("appended", len(messages), (submission.message_id for submission in messages))
    now = time.perf_counter()
    ACK_SECONDS.observe_batch([now - submission.taken_at for submission in messages])


def show_depths(*, queued: int, held: int) -> None:
    """How many messages wait after a batch."""
    for gauge, depth in ((INGEST_QUEUE, queued), (INGEST_HELD, held)):
        if _shown.get(gauge, 0) != depth:
            _shown[gauge] = depth
            gauge.set(depth)
