"""Keeps what this process knows of bans by address fresh: on every word of a change, and every 20 s without one."""

import asyncio
import contextlib
import logging

from apps.gateway.database import DatabaseThreads
from apps.moderation.address_bans import AddressBans

logger = logging.getLogger(__name__)

# Below what requests take for fresh, so that none of them has to read.
READ_SECONDS = 20.0


class BanWatch:
    """One task of a gateway process."""

    def __init__(self, threads: DatabaseThreads, bans: AddressBans) -> None:
        self._threads = threads
        self._bans = bans
        self._changed = asyncio.Event()

    def note_change(self) -> None:
        """Read them now: somebody made or lifted one."""
        self._changed.set()

    async def run(self) -> None:
        """Read, wait, and so on for ever; while the database does not answer the last ones stand."""
        while True:
            self._changed.clear()
            try:
                await self._threads.run(self._bans.refresh)
            except Exception:
                logger.warning("bans by address not read; the last ones stand", exc_info=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READ_SECONDS):
                    await self._changed.wait()
