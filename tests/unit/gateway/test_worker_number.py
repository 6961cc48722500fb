"""A gateway whose clock has stepped back far goes on under another worker number."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from apps.gateway import worker_number
from apps.gateway.worker_number import WorkerNumber
from apps.ingest.snowflake import CannotIssue, SnowflakeIssuer
from apps.protocol.ids import SNOWFLAKE_EPOCH_MS

T = TypeVar("T")

HOUR_MS = 3_600_000


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms = SNOWFLAKE_EPOCH_MS + 100 * HOUR_MS


class SameThread:
    """Runs what would run in a database thread."""

    async def run(self, function: Callable[[], T]) -> T:
        return function()


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_another_number_is_leased_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(1, 1024))
    monkeypatch.setattr(worker_number, "lease_worker", lambda holder: next(numbers))
    monkeypatch.setattr(worker_number, "renew_worker", lambda worker_id, holder: True)
    clock = Clock()
    issuer = SnowflakeIssuer(lambda: clock.now_ms, lambda: 0.0)
    keeping = asyncio.create_task(WorkerNumber("gw-a", issuer, SameThread()).run())  # type: ignore[arg-type]
    try:
        await wait_for(lambda: issuer.worker_id == 1)
        issuer.issue()
        clock.now_ms -= HOUR_MS
        with pytest.raises(CannotIssue):
            issuer.issue()
        await wait_for(lambda: issuer.worker_id == 2)
        assert issuer.issue()[1] == clock.now_ms
    finally:
        keeping.cancel()
