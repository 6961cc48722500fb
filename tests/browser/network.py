"""A line to the server that a test can really cut: the browser's own offline switch only freezes open sockets."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from tests.client.proxy import Proxy

ANSWER_TIMEOUT_SECONDS = 10


class Network:
    """A TCP proxy to a local port, run in a thread of its own. Browsers go to `base_url`, others to `port`."""

    def __init__(self, target_port: int) -> None:
        self._proxy = Proxy(target_port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener: asyncio.Server | None = None
        self.port = 0
        self.restore()

    @property
    def base_url(self) -> str:
        """The site's address through this line."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._run(self._close_listener())
        self._loop.call_soon_threadsafe(self._proxy.cut)

    def restore(self) -> None:
        """Take connections again, on the same port."""
        self._run(self._listen())

    def block_websockets(self, *, blocked: bool = True) -> None:
        """Refuse every upgrade from now on, or (`blocked` False) let them through again."""
        self._proxy.refuses_websockets = blocked

    def close(self) -> None:
        """End the proxy and its thread."""
        self._run(self._close_listener())
        self._run(self._proxy.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_TIMEOUT_SECONDS)
        self._loop.close()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._proxy.accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_TIMEOUT_SECONDS)
