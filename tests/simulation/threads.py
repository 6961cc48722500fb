"""Threads, queues and events for blocking code that shares one thread: what ``delivery_lane`` takes from Python's."""

import asyncio
import queue
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.simulation.virtual_time import run_blocking, wait_for


class Event:
    """``threading.Event``."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake who waits."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, for at most so many seconds."""
        return wait_for(_wait(self._event, timeout))


class Thread:
    """``threading.Thread``, of the process that starts it."""

    def __init__(self, target: Callable[[], object], name: str = "", daemon: bool = False) -> None:
        self._target = target
        self._task: asyncio.Task[Any] | None = None

    def start(self) -> None:
        """Run."""
        self._task = asyncio.get_running_loop().create_task(run_blocking(self._target))

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._task is not None and not self._task.done()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, for at most so many seconds."""
        assert self._task is not None
        wait_for(asyncio.wait([self._task], timeout=timeout))


class Queue:
    """``queue.Queue``."""

    def __init__(self, maxsize: int = 0) -> None:
        self._things: deque[Any] = deque()
        self._size = maxsize
        self._changed = asyncio.Event()

    def put(self, thing: Any, timeout: float | None = None) -> None:
        """Add something. Raises queue.Full."""
        if not wait_for(self._wait_until(lambda: not self._size or len(self._things) < self._size, timeout)):
            raise queue.Full
        self._things.append(thing)
        self._tell()

    def get(self) -> Any:
        """Take the first."""
        wait_for(self._wait_until(lambda: bool(self._things), None))
        thing = self._things.popleft()
        self._tell()
        return thing

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _wait_until(self, holds: Callable[[], bool], seconds: float | None) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


class Queues:
    """Stands for the module ``queue``."""

    Queue = Queue
    Full = queue.Full


class Threading:
    """Stands for the module ``threading``."""

    Event = Event
    Thread = Thread


async def _wait(event: asyncio.Event, seconds: float | None) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
