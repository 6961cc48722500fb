"""Lines to servers that a test can really cut, stall and slow down: proxies in a thread of their own."""

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeVar

from tests.client.proxy import Address, Proxy, Way

ANSWER_TIMEOUT_SECONDS = 60

T = TypeVar("T")


class LineThread:
    """The thread, and the event loop in it, that lines run in."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lines", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and give its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_TIMEOUT_SECONDS)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function there and wait until it has been."""

        async def work() -> None:
            function()

        self.run(work())

    def close(self) -> None:
        """End the thread; its lines have to be closed before."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_TIMEOUT_SECONDS)
        self._loop.close()


class Line:
    """One proxy in such a thread, to be used from any other; it listens at `at`, or else at `port`, a free one."""

    def __init__(self, thread: LineThread, target: Address, at: Address | None = None) -> None:
        self._thread = thread
        self._at = at
        self.proxy = Proxy(target)
        self._is_open = False
        self.restore()

    @property
    def port(self) -> int:
        """Where it takes TCP connections."""
        return self.proxy.port

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._is_open = False

        def refuse_and_cut() -> None:
            self.proxy.refuse()
            self.proxy.cut()

        self._thread.call(refuse_and_cut)

    def restore(self) -> None:
        """Take connections again, at the same address. Repeats do nothing."""
        if not self._is_open:
            self._thread.run(self.proxy.listen(self._at))
            self._is_open = True

    def stall(self, ways: Collection[Way] = tuple(Way)) -> None:
        """Let nothing more pass this way, and keep all connections open."""
        self._thread.call(lambda: self.proxy.stall(ways))

    def slow_down(self, delay: float, jitter: float) -> None:
        """Let each chunk wait so many seconds, and up to `jitter` more, each way."""
        self.proxy.delay, self.proxy.jitter = delay, jitter

    def heal(self) -> None:
        """Let all pass again as if nothing had been, beginning with what waited."""
        self.slow_down(0.0, 0.0)
        self._thread.call(self.proxy.resume)
        self.restore()

    def reset(self) -> None:
        """Let all pass again, on new connections: those that there are get a reset."""

        def cut_and_resume() -> None:
            self.proxy.cut()
            self.proxy.resume()

        self._thread.call(cut_and_resume)
        self.heal()

    def close(self) -> None:
        """End the line and all connections over it."""
        self._thread.run(self.proxy.close())
