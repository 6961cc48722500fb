"""When devices were last seen: noted here, written together once a minute."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from apps.accounts.services.devices import touch_devices
from apps.gateway.database import DatabaseThreads

if TYPE_CHECKING:
    from apps.gateway.connection import Connection

logger = logging.getLogger(__name__)

WRITE_SECONDS = 60.0
EVERYBODY_SECONDS = 6 * 3_600.0
CHUNK = 1_000


class DeviceSightings:
    """Connects and disconnects are sightings; whoever stays connected is one every few hours."""

    def __init__(self, threads: DatabaseThreads, everybody: "Callable[[], Iterable[Connection]]") -> None:
        self._threads = threads
        self._everybody = everybody
        self._seen: set[str] = set()

    def note(self, device_id: str) -> None:
        """A device was seen now."""
        self._seen.add(device_id)

    async def run(self) -> None:
        """Write, for ever."""
        everybody_at = time.monotonic()
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            if time.monotonic() - everybody_at >= EVERYBODY_SECONDS:
                everybody_at = time.monotonic()
                self._seen.update(connection.device_id for connection in self._everybody())
            await self._write()

    async def _write(self) -> None:
        seen, self._seen = sorted(self._seen), set()
        for start in range(0, len(seen), CHUNK):
            chunk = seen[start : start + CHUNK]
            try:
                await self._threads.run(partial(touch_devices, chunk))
            except Exception:
                logger.warning("sightings of %d devices not written; next time", len(chunk), exc_info=True)
                self._seen.update(chunk)
