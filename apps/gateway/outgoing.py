"""What is on its way to one socket: written by a task that lives only while there is something to write."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from apps.gateway.close_codes import CloseReason
from apps.gateway.frame_queue import FrameQueue

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_SECONDS = 30.0
"""How long a close frame may wait for a client that does not read."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outgoing(FrameQueue):
    """The queue of one socket. ``on_written`` is called each time everything queued has been handed to the socket."""

    __slots__ = ("_dropped", "_send", "_task")

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send
        self._dropped = False
        self._task: asyncio.Task[None] | None = None

    @property
    def empty(self) -> bool:
        """Whether everything has been handed to the socket."""
        return not self._frames and self._task is None

    @property
    def has_room(self) -> bool:
        """Whether the next page may come: only when this one is on the socket, so that a slow reader slows its own
        drain.
        """
        return self.empty

    async def end(self) -> None:
        """The socket is gone: wait for the task."""
        self._ended = True
        self._frames.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _advance(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    def _drop(self) -> None:
        self._frames.clear()
        self._dropped = True

    async def _write(self) -> None:
        try:
            while True:
                while self._frames:
                    frames, self._frames = self._frames, []
                    for frame in frames:
                        if self._dropped:
                            break
                        await self._send({"type": "websocket.send", "text": frame})
                        self.written += 1
                        self._waiting -= 1
                        self._size -= len(frame)
                if self._closing is not None:
                    await self._write_close(self._closing)
                    return
                self.on_written()
                if not self._frames and self._closing is None:
                    return
        except (OSError, RuntimeError) as error:
            # The client is gone, or the server has begun to close: the receive loop ends the connection.
            logger.debug("frame not written: %s", error)
            self._ended = True
        finally:
            self._task = None

    async def _write_close(self, reason: CloseReason) -> None:
        self._ended = True
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            await self._send({"type": "websocket.close", "code": reason.code, "reason": reason.text})
