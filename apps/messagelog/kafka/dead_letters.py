"""Records that could not be processed: in a topic of their own, as they were, with the reason beside them."""

import threading
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from apps.messagelog.base import DeadLetter, LogRecord, LogUnavailable
from apps.messagelog.kafka.admin import Admin
from apps.messagelog.kafka.clients import drop_producer, open_client, open_producer
from apps.messagelog.kafka_address import KafkaAddress

TIMEOUT_MS = 5_000
LONGEST_REASON = 500


class DeadLetters:
    """The topic's writing and reading side. All methods raise LogUnavailable."""

    def __init__(self, address: KafkaAddress, topic: str, admin: Admin) -> None:
        self._address = address
        self._partition = TopicPartition(topic, 0)
        self._admin = admin
        self._lock = threading.Lock()
        self._producer: Any = None

    def add(self, record: LogRecord, reason: str) -> None:
        """Keep a record, durably."""
        headers = {
            "partition": str(record.partition),
            "sequence": str(record.sequence),
            "reason": reason[:LONGEST_REASON],
        }
        with self._lock:
            try:
                self._producer = self._producer or self._make_producer()
                self._producer.send(
                    self._partition.topic,
                    record.payload.encode(errors="surrogateescape"),
                    partition=self._partition.partition,
                    headers=[(name, value.encode(errors="replace")) for name, value in headers.items()],
                ).get(TIMEOUT_MS / 1000)
            except (KafkaError, OSError) as error:
                self._let_go()
                raise LogUnavailable(f"Kafka: {error!r}") from error

    def close(self) -> None:
        """Close the producer; the next record makes a new one."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            drop_producer(producer)

    def _make_producer(self) -> Any:
        return open_producer(
            **self._address.client_options,
            client_id=f"{self._address.prefix}-dead-letters",
            acks="all",
            request_timeout_ms=TIMEOUT_MS // 2,
            delivery_timeout_ms=TIMEOUT_MS,
            max_block_ms=TIMEOUT_MS,
            bootstrap_timeout_ms=TIMEOUT_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def count(self) -> int:
        """How many are kept."""
        first, end = self._bounds()
        return end - first

    def _bounds(self) -> tuple[int, int]:
        def ask(spec: OffsetSpec) -> int:
            found = self._admin.ask(lambda client: client.list_partition_offsets({self._partition: spec}))
            return int(found[self._partition].offset)

        return ask(OffsetSpec.EARLIEST), ask(OffsetSpec.LATEST)

    def list_newest(self, limit: int) -> list[DeadLetter]:
        """At most ``limit``, newest first."""
        first, end = self._bounds()
        start = max(first, end - limit)
        if start == end:
            return []
        try:
            found = self._read(start, end)
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"Kafka: {error!r}") from error
        return [_to_dead_letter(record) for record in reversed(found)]

    def _read(self, start: int, end: int) -> list[Any]:
        consumer = open_client(
            KafkaConsumer,
            **self._address.client_options,
            group_id=None,
            enable_auto_commit=False,
            request_timeout_ms=TIMEOUT_MS,
            bootstrap_timeout_ms=TIMEOUT_MS,
            consumer_timeout_ms=TIMEOUT_MS,
            metrics_enabled=False,
        )
        try:
            consumer.assign([self._partition])
            consumer.seek(self._partition, start)
            found: list[Any] = []
            for record in consumer:
                found.append(record)
                if record.offset >= end - 1:
                    return found
            raise LogUnavailable("Kafka did not give all dead letters in time")
        finally:
            consumer.close()


def _to_dead_letter(record: Any) -> DeadLetter:
    headers: Mapping[str, str] = {name: value.decode(errors="replace") for name, value in record.headers}
    return DeadLetter(
        partition=int(headers.get("partition", -1)),
        sequence=int(headers.get("sequence", 0)),
        reason=headers.get("reason", ""),
        payload=record.value.decode(errors="surrogateescape"),
    )
