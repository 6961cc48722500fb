"""The client of a reader, configured so that a reader that dies is replaced within ten seconds."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState

from apps.messagelog.kafka.clients import open_client

REQUEST_TIMEOUT_MS = 5_000
SESSION_TIMEOUT_MS = 6_000
"""A reader that is silent for so long loses its partitions. Brokers take no less by default."""

HEARTBEAT_MS = 300
"""Members learn of a rebalance by their heartbeats: it takes about so long."""

MAX_POLL_INTERVAL_MS = 30_000
"""A reader that does not poll for so long is given up; also how long a rebalance waits for one that is busy."""

PARTITION_FETCH_BYTES = 256 * 1024
"""So that partitions with much to read leave room in every poll for the others."""

LONGEST_WAIT_MS = 500
REBALANCE_SECONDS = 2.0
"""How long a poll goes on for a rebalance in which it has been caught."""


def join_group(options: Mapping[str, Any], topic: str, listener: Any) -> Any:
    """Make a consumer that will join its group at the first poll. Raises KafkaError or OSError."""
    consumer = open_client(
        KafkaConsumer,
        **options,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        partition_assignment_strategy=[CooperativeStickyAssignor],
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
        reconnect_backoff_max_ms=1_000,
        metadata_max_age_ms=5_000,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    try:
        # A subscription before the topic is known gave a consumer that never got partitions, once in fifty.
        consumer.partitions_for_topic(topic)
        consumer.subscribe([topic], listener=listener)
    except BaseException:
        consumer.close(autocommit=False, timeout_ms=0)
        raise
    return consumer


def poll_through(consumer: Any, wait_ms: float, limit: int) -> Mapping[TopicPartition, Sequence[Any]]:
    """Poll for at most ``wait_ms``, or ``LONGEST_WAIT_MS``; a rebalance that has begun is seen through.

    kafka-python 3.0.12 goes on joining its group in the background when a poll's time is over. Then it may forget to
    take up the result (as the leader), or join once more (if nobody polled just then); it sends no heartbeats meanwhile
    and is expelled. Hence, as long as a join is under way, it is told that there is one, and polled.
    """
    wait_ms = min(wait_ms, LONGEST_WAIT_MS)
    give_up_at = time.monotonic() + REBALANCE_SECONDS
    while True:
        if _is_rebalancing(consumer):
            consumer._coordinator.request_rejoin()
            wait_ms = LONGEST_WAIT_MS
        found: Mapping[TopicPartition, Sequence[Any]] = consumer.poll(wait_ms, max_records=limit)
        if found or not _is_rebalancing(consumer) or time.monotonic() > give_up_at:
            return found


def _is_rebalancing(consumer: Any) -> bool:
    return bool(consumer.group_metadata().state is MemberState.REBALANCING)
