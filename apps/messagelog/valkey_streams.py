"""The log on Valkey Streams, in a Valkey of its own: one stream a partition, dense positions, one active reader a
group.

``XADD key 0-*`` numbers entries 0-1, 0-2 …: the position. A record is durable when its reply comes, for Valkey writes
replies
after the fsync of the same event-loop turn. Only one reader of a group is active (a lease with takeover); scale past
that with Kafka.
"""

from typing import Any

from django.conf import settings

from apps.messagelog.base import LogRecord, LogStatus, LogUnavailable, PartitionStatus
from apps.messagelog.keys import (
    DEAD_KEY,
    GENERATION_KEY,
    PARTITIONS_KEY,
    committed_key,
    lease_key,
    stream_key,
)
from apps.messagelog.valkey_appender import ValkeyStreamsAppender
from apps.messagelog.valkey_reader import ValkeyStreamsReader
from apps.valkey.pools import ValkeyError, server_url, sync_client

REQUIRED_CONFIG = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "no-appendfsync-on-rewrite": "no",
}
DEAD_LETTERS_KEPT = 100_000


class ValkeyStreamsMessageLog:
    """MessageLog on the server of ``settings.EVENT_LOG_URL``."""

    def __init__(self) -> None:
        self._url = server_url(settings.EVENT_LOG_URL)
        self._partitions: int = settings.LOG_PARTITIONS

    def appender(self) -> ValkeyStreamsAppender:
        """See MessageLog."""
        return ValkeyStreamsAppender(self._url, self._partitions)

    def reader(self, group: str, reader_id: str) -> ValkeyStreamsReader:
        """See MessageLog."""
        retention_ms = settings.LOG_RETENTION_HOURS * 3_600_000
        return ValkeyStreamsReader(self._url, self._partitions, group, reader_id, retention_ms)

    def bury(self, record: LogRecord, reason: str) -> None:
        """See MessageLog."""
        fields: dict[Any, Any] = {
            "partition": record.partition,
            "sequence": record.sequence,
            "reason": reason,
            "r": record.payload,
        }
        try:
            sync_client(self._url).xadd(DEAD_KEY, fields, maxlen=DEAD_LETTERS_KEPT, approximate=True)
        except ValkeyError as error:
            raise LogUnavailable(str(error)) from error

    def set_up(self, known_generation: int) -> int:
        """See MessageLog."""
        client = sync_client(self._url)
        try:
            self._check_config(client.config_get(*REQUIRED_CONFIG))
            client.set(PARTITIONS_KEY, self._partitions, nx=True)
            partitions = int(client.get(PARTITIONS_KEY) or 0)
            if partitions != self._partitions:
                raise ValueError(
                    f"the log was made with {partitions} partitions and LOG_PARTITIONS says {self._partitions}:"
                    " the number cannot change"
                )
            client.set(GENERATION_KEY, known_generation + 1, nx=True)
            generation = int(client.get(GENERATION_KEY) or 0)
            if generation < known_generation:
                # An older copy of the log was put back: its positions may be given out a second time.
                generation = known_generation + 1
                client.set(GENERATION_KEY, generation)
            return generation
        except ValkeyError as error:
            raise LogUnavailable(str(error)) from error

    @staticmethod
    def _check_config(found: dict[str, str]) -> None:
        wrong = {name: value for name, value in REQUIRED_CONFIG.items() if found.get(name) != value}
        if wrong:
            wanted = ", ".join(f"{name} {value} (is {found.get(name)})" for name, value in wrong.items())
            raise ValueError(f"the log's Valkey would lose acknowledged messages; it needs: {wanted}")

    def status(self) -> LogStatus:
        """See MessageLog."""
        client = sync_client(self._url)
        try:
            groups = sorted(key.removeprefix("log:committed:") for key in client.scan_iter(match="log:committed:*"))
            committed = {group: client.hgetall(committed_key(group)) for group in groups}
            leases = sorted(key.removeprefix("log:lease:") for key in client.scan_iter(match="log:lease:*"))
            return LogStatus(
                generation=int(client.get(GENERATION_KEY) or 0),
                partitions=tuple(
                    self._partition_status(client, partition, committed) for partition in range(self._partitions)
                ),
                readers={group: client.get(lease_key(group)) or "" for group in leases},
                dead_letters=client.xlen(DEAD_KEY),
            )
        except ValkeyError as error:
            raise LogUnavailable(str(error)) from error

    @staticmethod
    def _partition_status(client: Any, partition: int, committed: dict[str, dict[str, str]]) -> PartitionStatus:
        key = stream_key(partition)
        newest, oldest = client.xrevrange(key, count=1), client.xrange(key, count=1)
        return PartitionStatus(
            partition=partition,
            first=_position(oldest),
            last=_position(newest),
            committed={group: int(positions.get(str(partition), 0)) for group, positions in committed.items()},
        )


def _position(entries: list[Any]) -> int:
    return int(entries[0][0].partition("-")[2]) if entries else 0
