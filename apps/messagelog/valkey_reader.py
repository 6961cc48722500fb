"""The reading side of the Valkey Streams log: one active reader a group, by a lease."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.messagelog.base import (
    GENERATION_SHIFT,
    LeaseLost,
    LogNotSetUp,
    LogRecord,
    LogUnavailable,
    sequence_of,
)
from apps.messagelog.keys import committed_key, stream_key
from apps.valkey.pools import ValkeyError, sync_client
from apps.valkey.scripts import Script

_LUA = Path(__file__).parent / "lua"
_LEASE = Script(_LUA / "lease.lua")
_TRIM = Script(_LUA / "trim.lua")

LEASE_MS = 3_000
"""A reader that is silent for so long loses the group to the next."""

RENEW_MS = 700
COMMIT_MS = 100
"""Positions are written at most so often under load: a takeover repeats no more than this, with no effect."""

MARK_MS = 60_000
TRIMMING_GROUP = "relay"
LEASE_RETRY_SECONDS = 0.2


class ValkeyStreamsReader:
    """LogReader on Valkey Streams."""

    def __init__(self, url: str, partitions: int, group: str, reader_id: str, retention_ms: int) -> None:
        self._client = sync_client(url)
        self._partitions = partitions
        self._group = group
        self._reader_id = reader_id
        self._retention_ms = retention_ms
        self._positions: dict[int, int] | None = None
        self._uncommitted: dict[int, int] = {}
        self._uncommitted_lock = threading.Lock()  # commit comes from any thread
        self._generation = 0
        self._renewed_at = self._marked_at = float("-inf")

    def poll(self, limit: int, wait_ms: int) -> list[LogRecord]:
        """See LogReader."""
        try:
            if self._positions is None and not self._take_lease(wait_ms):
                return []
            self._renew_if_due(COMMIT_MS if self._uncommitted else RENEW_MS)
            if self._uncommitted:
                records = self._read(limit, None)
                if records:
                    return records
                # Nothing new: what was done is written down before waiting for more.
                self._renew_if_due(0)
            return self._read(limit, min(wait_ms, RENEW_MS))
        except LogUnavailable:
            self._forget()
            raise
        except (ValkeyError, OSError) as error:
            self._forget()
            raise LogUnavailable(str(error)) from error

    def commit(self, records: Sequence[LogRecord]) -> None:
        """See LogReader."""
        with self._uncommitted_lock:
            for record in records:
                # A batch may be done after the log was replaced: its positions say nothing of the new one.
                if record.sequence >> GENERATION_SHIFT == self._generation:
                    self._uncommitted[record.partition] = record.position

    def rest(self, seconds: float) -> None:
        """See LogReader."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                if self._positions is not None:
                    self._renew_if_due(RENEW_MS)
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                time.sleep(min(left, RENEW_MS / 1000))
        except LogUnavailable:
            self._forget()
            raise
        except (ValkeyError, OSError) as error:
            self._forget()
            raise LogUnavailable(str(error)) from error

    def close(self) -> None:
        """See LogReader."""
        try:
            if self._positions is not None:
                self._renew_if_due(0)
                self._client.delete(f"log:lease:{self._group}")
        except (ValkeyError, OSError, LeaseLost) as error:
            raise LogUnavailable(str(error)) from error
        finally:
            self._forget()

    def _forget(self) -> None:
        self._positions = None
        self._take_uncommitted()
        self._renewed_at = float("-inf")

    def _take_lease(self, wait_ms: int) -> bool:
        deadline = time.monotonic() + wait_ms / 1000
        while not self._call_lease():
            if time.monotonic() >= deadline:
                return False
            time.sleep(LEASE_RETRY_SECONDS)
        committed = self._client.hgetall(committed_key(self._group))
        self._positions = {partition: int(committed.get(str(partition), 0)) for partition in range(self._partitions)}
        return True

    def _renew_if_due(self, interval_ms: float) -> None:
        if (time.monotonic() - self._renewed_at) * 1000 < interval_ms:
            return
        generation = self._generation
        if not self._call_lease():
            self._forget()
            raise LeaseLost(f"another reader took over the group {self._group}")
        if self._generation != generation:
            # The log was made anew under our feet: its positions begin again.
            raise LogUnavailable("the log was replaced")

    def _call_lease(self) -> bool:
        """Take or renew, writing down what was committed. Whether the lease is ours."""
        now = time.monotonic()
        # Other groups may be ahead of the relay: only its own reader trims.
        mark = self._group == TRIMMING_GROUP and (now - self._marked_at) * 1000 >= MARK_MS
        mark_ms = int(time.time() * 1000) if mark else ""
        arguments: list[Any] = [self._group, self._reader_id, LEASE_MS, mark_ms, self._generation]
        uncommitted = self._take_uncommitted()
        for partition, position in uncommitted.items():
            arguments += (partition, position)
        holder, generation = _LEASE.run(self._client, (), arguments)
        if holder != "held":
            return False
        if not generation:
            raise LogNotSetUp("the log is not set up")
        self._renewed_at, self._generation = now, int(generation)
        if mark:
            self._marked_at = now
            oldest_kept = int(time.time() * 1000) - self._retention_ms
            _TRIM.run(self._client, (), (self._group, oldest_kept, self._partitions))
        return True

    def _take_uncommitted(self) -> dict[int, int]:
        with self._uncommitted_lock:
            uncommitted, self._uncommitted = self._uncommitted, {}
        return uncommitted

    def _read(self, limit: int, block_ms: int | None) -> list[LogRecord]:
        positions = self._positions or {}
        streams: dict[Any, Any] = {stream_key(partition): f"0-{position}" for partition, position in positions.items()}
        # XREAD's COUNT is for each stream.
        answer = self._client.xread(streams, count=max(1, limit // self._partitions), block=block_ms)
        records: list[LogRecord] = []
        for key, entries in answer:
            partition = int(key.rpartition(":")[2])
            for entry_id, fields in entries:
                position = int(entry_id[2:])
                records.append(
                    LogRecord(
                        partition=partition,
                        position=position,
                        sequence=sequence_of(self._generation, position),
                        payload=fields.get("r", ""),
                    )
                )
            positions[partition] = records[-1].position
        return records
