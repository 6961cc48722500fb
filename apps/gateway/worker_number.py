"""Keeps this process's Snowflake worker number leased."""

import asyncio
import logging
import time

from apps.gateway.database import DatabaseThreads
from apps.ingest.snowflake import SnowflakeIssuer
from apps.ingest.worker_lease import LEASE_SECONDS, lease_worker, renew_worker

logger = logging.getLogger(__name__)

RENEW_SECONDS = 20.0
LOOK_SECONDS = RETRY_SECONDS = 1.0
MARGIN_SECONDS = 10.0
"""How much earlier than the database this process counts its lease as over."""


class WorkerNumber:
    """Leases a number for ``holder`` and renews it; without one the issuer gives out no ids."""

    def __init__(self, holder: str, issuer: SnowflakeIssuer, threads: DatabaseThreads) -> None:
        self._holder = holder
        self._issuer = issuer
        self._threads = threads

    async def run(self) -> None:
        """Lease and renew, for ever."""
        while True:
            # Counted from before the question, so that a slow answer never makes it longer than the database's.
            asked_at = time.monotonic()
            try:
                worker_id = await self._threads.run(self._lease_or_renew)
                self._issuer.use_lease(worker_id, asked_at + LEASE_SECONDS - MARGIN_SECONDS)
                await self._wait_until_due(asked_at + RENEW_SECONDS)
            except Exception:
                logger.warning("worker number not leased; trying again", exc_info=True)
                await asyncio.sleep(RETRY_SECONDS)

    async def _wait_until_due(self, due_at: float) -> None:
        # A step of the clock makes no event; it is seen by looking.
        while time.monotonic() < due_at and not self._issuer.is_ahead_of_its_clock:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    def _lease_or_renew(self) -> int:
        held = self._issuer.worker_id
        if self._issuer.is_ahead_of_its_clock:
            logger.warning("the clock has stepped back; going on under another worker number than %d", held)
        elif held >= 0 and renew_worker(held, self._holder):
            return held
        return lease_worker(self._holder)
