"""The log on Valkey Streams, in a Valkey of its own: one stream a partition, dense positions, one active reader a
group.

``XADD key 0-*`` numbers entries 0-1, 0-2 …: the position. A record is durable when its reply comes, for Valkey writes
replies
after the fsync of the same event-loop turn. Only one reader of a group is active (a lease with takeover); scale past
that with Kafka.
"""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.messagelog.base import (
    DeadLetter,
    Entry,
    GroupIsRead,
    KnownLog,
    LogRecord,
    LogStatus,
    LogUnavailable,
    PartitionStatus,
)
from apps.messagelog.keys import (
    DEAD_KEY,
    GENERATION_KEY,
    IDENTITY_KEY,
    PARTITIONS_KEY,
    committed_key,
    lease_key,
    marks_key,
    stream_key,
)
from apps.messagelog.valkey_appender import ValkeyStreamsAppender, append_waiting
from apps.messagelog.valkey_reader import ValkeyStreamsReader
from apps.valkey.pools import ValkeyError, server_url, sync_client
from apps.valkey.scripts import Script

_REWIND = Script(Path(__file__).parent / "lua" / "rewind.lua")

ADAPTER = "valkey_streams"
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

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """See MessageLog."""
        return append_waiting(self._url, self._partitions, entries)

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

    def list_dead_letters(self, limit: int) -> list[DeadLetter]:
        """See MessageLog."""
        try:
            found = sync_client(self._url).xrevrange(DEAD_KEY, count=limit)
        except ValkeyError as error:
            raise LogUnavailable(str(error)) from error
        return [
            DeadLetter(
                partition=int(fields["partition"]),
                sequence=int(fields["sequence"]),
                reason=fields["reason"],
                payload=fields["r"],
            )
            for _, fields in found
        ]

    def set_up(self, known: KnownLog) -> KnownLog:
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
            client.set(IDENTITY_KEY, secrets.token_hex(8), nx=True)
            identity = f"{ADAPTER}/{client.get(IDENTITY_KEY)}"
            client.set(GENERATION_KEY, known.generation + 1, nx=True)
            generation = int(client.get(GENERATION_KEY) or 0)
            # A log that was set up before identities were kept is the one that is known.
            another = known.generation > 0 and known.identity not in ("", identity)
            if generation < known.generation or (another and generation == known.generation):
                # Another log, or an older copy of this one: its positions may be given out a second time.
                generation = known.generation + 1
                client.set(GENERATION_KEY, generation)
            return KnownLog(generation=generation, identity=identity)
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
                readers={
                    group: {reader: tuple(range(self._partitions))}
                    for group in leases
                    if (reader := client.get(lease_key(group)))
                },
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

    def find_positions(self, at_ms: int) -> dict[int, int]:
        """See MessageLog. Streams know no times; the marks of what was committed when do, to the minute."""
        client = sync_client(self._url)
        try:
            return {
                partition: max(
                    self._committed_before(client, partition, at_ms) + 1, self._first_kept(client, partition)
                )
                for partition in range(self._partitions)
            }
        except ValkeyError as error:
            raise LogUnavailable(str(error)) from error

    @staticmethod
    def _committed_before(client: Any, partition: int, at_ms: int) -> int:
        mark = client.zrevrangebyscore(marks_key(partition), f"({at_ms}", "-inf", start=0, num=1)
        return int(mark[0]) if mark else 0

    @staticmethod
    def _first_kept(client: Any, partition: int) -> int:
        return _position(client.xrange(stream_key(partition), count=1)) or 1

    def rewind(self, group: str, positions: Mapping[int, int]) -> None:
        """See MessageLog."""
        arguments: list[str | int] = [group]
        for partition, position in positions.items():
            arguments += (partition, position - 1)
        try:
            holder = _REWIND.run(sync_client(self._url), (), arguments)
        except ValkeyError as error:
            raise LogUnavailable(str(error)) from error
        if holder:
            raise GroupIsRead(f"the group {group} is read by {holder}")


def _position(entries: list[Any]) -> int:
    return int(entries[0][0].partition("-")[2]) if entries else 0
