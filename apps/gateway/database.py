"""Database work off the event loop: a few threads of this process's own, each with its own connections."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections

T = TypeVar("T")

THREADS = 4


class DatabaseThreads:
    """Runs blocking functions; ``asgiref``'s one shared thread would make every login wait for every other."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway-database")

    async def run(self, function: Callable[[], T]) -> T:
        """Run it in a thread. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, _with_fresh_connections, function)

    def close(self) -> None:
        """Let the threads end."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _with_fresh_connections(function: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
