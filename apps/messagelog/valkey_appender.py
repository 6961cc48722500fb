"""The writing side of the Valkey Streams log."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.messagelog.base import Entry, LogUnavailable, partition_of, sequence_of
from apps.valkey.pools import ValkeyError, async_client, sync_client
from apps.valkey.scripts import Script

_APPEND = Script(Path(__file__).parent / "lua" / "append.lua")

APPEND_TIMEOUT_SECONDS = 2.0
"""How long an append may take before its outcome counts as unknown."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0


def append_waiting(url: str, partitions: int, entries: Sequence[Entry]) -> list[int]:
    """Append from a thread. Raises LogUnavailable."""
    try:
        return _to_sequences(_APPEND.run(sync_client(url), (), _to_arguments(entries, partitions)))
    except (ValkeyError, OSError) as error:
        raise LogUnavailable(str(error)) from error


def _to_arguments(entries: Sequence[Entry], partitions: int) -> list[int | bytes]:
    arguments: list[int | bytes] = []
    for entry in entries:
        arguments += (partition_of(entry.key, partitions), entry.payload)
    return arguments


def _to_sequences(answer: Sequence[Any]) -> list[int]:
    generation, *positions = answer
    return [sequence_of(int(generation), int(position)) for position in positions]


class ValkeyStreamsAppender:
    """LogAppender on Valkey Streams: one script call a batch, never sent twice by the client library."""

    def __init__(self, url: str, partitions: int) -> None:
        self._client = async_client(url, answer_timeout=APPEND_TIMEOUT_SECONDS)
        self._partitions = partitions

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        """See LogAppender."""
        try:
            answer = await _APPEND.run_async(self._client, (), _to_arguments(entries, self._partitions))
        except (ValkeyError, OSError) as error:
            raise LogUnavailable(str(error)) from error
        return _to_sequences(answer)

    async def wait_until_available(self) -> None:
        """See LogAppender."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._client.ping()
                return
            except (ValkeyError, OSError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        """See LogAppender. The client is the loop's, and is closed with it."""
