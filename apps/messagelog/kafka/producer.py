"""The appender's Kafka client."""

import time
from collections.abc import Sequence
from typing import Any

from kafka.errors import KafkaError

from apps.messagelog.base import LogUnavailable
from apps.messagelog.kafka.clients import drop_producer, open_producer
from apps.messagelog.kafka_address import KafkaAddress

REQUEST_TIMEOUT_MS = 2_000
DELIVERY_TIMEOUT_MS = 8_000
"""How long the client may try by itself. Brokers that die are replaced in 3-6 s, unseen."""

RETRY_BACKOFF_MS = 50
METADATA_AGE_MS = 5_000
BATCH_BYTES = 512 * 1024
"""Of one partition, in one request: a batch of the ingest is never cut, and stays below a broker's 1 MiB."""


class KafkaBatchProducer:
    """An idempotent producer for one topic, of use until its first failure. It blocks: it wants a thread of its own.

    confluent-kafka in its place took half the CPU time of an append or less, and gave the whole site nothing.
    """

    def __init__(self, address: KafkaAddress, topic: str) -> None:
        self._topic = topic
        try:
            self._client: Any = open_producer(
                **address.client_options,
                client_id=f"{address.prefix}-producer",
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                batch_size=BATCH_BYTES,
                max_request_size=16 * BATCH_BYTES,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                retry_backoff_ms=RETRY_BACKOFF_MS,
                reconnect_backoff_max_ms=REQUEST_TIMEOUT_MS,
                metadata_max_age_ms=METADATA_AGE_MS,
                max_block_ms=REQUEST_TIMEOUT_MS,
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"no Kafka broker answers at {address.brokers}") from error

    def count_partitions(self) -> int:
        """How many partitions the topic has. Raises LogUnavailable."""
        try:
            return len(self._client.partitions_for(self._topic))
        except KafkaError as error:
            raise LogUnavailable(f"Kafka: {error!r}") from error

    def append(self, records: Sequence[tuple[int, bytes]]) -> list[int]:
        """Write (partition, payload) pairs; returns their offsets, in order, once all are durable.

        Raises LogUnavailable: then some may be written, or may yet be.
        """
        try:
            sent = [self._client.send(self._topic, payload, partition=partition) for partition, payload in records]
            deadline = time.monotonic() + (DELIVERY_TIMEOUT_MS + REQUEST_TIMEOUT_MS) / 1000
            return [record.get(max(0.0, deadline - time.monotonic())).offset for record in sent]
        except (KafkaError, ValueError) as error:  # ValueError: a partition that the topic no longer has
            raise LogUnavailable(f"Kafka: {error!r}") from error

    def close(self) -> None:
        """Let go of it without waiting; what is on its way may still be written."""
        drop_producer(self._client)
