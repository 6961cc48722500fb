"""Celery's broker on the cache's server: queues of tasks that may be lost, and never run twice at once."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from tests.simulation.calls import Calls, Server
from tests.simulation.virtual_time import wait_for

QUEUES = ("gaps", "fan_out", "counts", "sweeps", "drain")
ROUTES = {
    "delivery.drain_gaps": "gaps",
    "delivery.drain": "drain",
    "groups.fan_out": "fan_out",
    "groups.count": "counts",
}
SEND_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Job:
    """A task that waits; ``expires_at`` in seconds of the loop."""

    name: str
    args: Sequence[Any]
    expires_at: float


class Broker:
    """All queues."""

    def __init__(self, server: Server, calls: Calls) -> None:
        self._server = server
        self._calls = calls
        self._queues: dict[str, deque[Job]] = {name: deque() for name in QUEUES}
        self._news = asyncio.Event()

    def send_task(self, name: str, args: Sequence[Any] = (), expires: float = 3600.0, **_: Any) -> None:
        """What stands in the place of Celery's. Raises ConnectionError."""
        wait_for(self.put(name, args, expires))

    async def put(self, name: str, args: Sequence[Any] = (), expires: float = 3600.0) -> None:
        """Ask for a task. Raises ConnectionError."""
        job = Job(name, args, asyncio.get_running_loop().time() + expires)
        await self._calls.make(self._server, f"task {name}", lambda: self._add(job), patience=SEND_SECONDS)

    def forget_all(self) -> None:
        """The server lost its data."""
        for queue in self._queues.values():
            queue.clear()

    async def get(self) -> Job:
        """The next task, in the order of the queues. Raises ConnectionError."""
        while True:
            if self._server.is_down:
                raise redis.ConnectionError("the broker is away")
            await self._server.wait_running()
            job = self._pop()
            if job is not None:
                return job
            self._news.clear()
            await self._news.wait()

    def _pop(self) -> Job | None:
        now = asyncio.get_running_loop().time()
        for queue in self._queues.values():
            while queue:
                job = queue.popleft()
                if job.expires_at > now:
                    return job
        return None

    def _add(self, job: Job) -> None:
        self._queues[ROUTES.get(job.name, "sweeps")].append(job)
        self._news.set()
