"""The writing side of the Valkey Streams log."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from apps.messagelog.base import Entry, LogUnavailable, partition_of, sequence_of
from apps.valkey.pools import ValkeyError, async_client
from apps.valkey.scripts import Script

_APPEND = Script(Path(__file__).parent / "lua" / "append.lua")

APPEND_TIMEOUT_SECONDS = 2.0
"""How long an append may take before its outcome counts as unknown."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0


class ValkeyStreamsAppender:
    """LogAppender on Valkey Streams: one script call a batch, never sent twice by the client library."""

    def __init__(self, url: str, partitions: int) -> None:
        self._client = async_client(url, answer_timeout=APPEND_TIMEOUT_SECONDS)
        self._partitions = partitions

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        """See LogAppender."""
        arguments: list[int | bytes] = []
        for entry in entries:
            arguments += (partition_of(entry.key, self._partitions), entry.payload)
        try:
            generation, *positions = await _APPEND.run_async(self._client, (), arguments)
        except (ValkeyError, OSError) as error:
            raise LogUnavailable(str(error)) from error
        return [sequence_of(int(generation), int(position)) for position in positions]

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
