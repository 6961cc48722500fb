"""What is on its way to one client: a bounded queue, written by a task that lives only while there is something to
write.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from apps.gateway.close_codes import CloseReason

logger = logging.getLogger(__name__)

MAX_FRAMES = 4_096
MAX_BYTES = 2 * 1024 * 1024
"""About: a character counts as one. A client that lets this much gather reads too slowly."""

CROWDED_FRAMES = 512
CROWDED_BYTES = 256 * 1024
"""From here on pushes wait in the inbox."""

CLOSE_TIMEOUT_SECONDS = 30.0
"""How long a close frame may wait for a client that does not read."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outgoing:
    """The queue of one connection. ``on_written`` is called each time everything queued has been handed to the
    socket.
    """

    __slots__ = (
        "_closing",
        "_dropped",
        "_ended",
        "_frames",
        "_on_written",
        "_send",
        "_size",
        "_task",
        "_waiting",
        "written",
    )

    def __init__(self, send: Send, on_written: Callable[[], None]) -> None:
        self._send = send
        self._on_written = on_written
        # A list, and swapped when written: an empty deque would cost each idle connection 600 bytes.
        self._frames: list[str] = []
        self._waiting = 0
        self.written = 0
        self._size = 0
        self._dropped = False
        self._task: asyncio.Task[None] | None = None
        self._closing: CloseReason | None = None
        self._ended = False

    @property
    def empty(self) -> bool:
        """Whether everything has been handed to the socket."""
        return not self._frames and self._task is None

    @property
    def crowded(self) -> bool:
        """Whether so much waits that what can wait in the inbox should."""
        return self._waiting >= CROWDED_FRAMES or self._size >= CROWDED_BYTES

    @property
    def closing(self) -> bool:
        """Whether a close is under way or done: nothing is written after it."""
        return self._ended or self._closing is not None

    def put(self, frame: str) -> None:
        """Queue a frame; one too many closes the connection with 1013, for its inbox keeps all."""
        if self._ended or self._closing is not None:
            return
        if self._waiting >= MAX_FRAMES or self._size > MAX_BYTES:
            self.close_at_once(CloseReason.READS_TOO_SLOWLY)
            return
        self._frames.append(frame)
        self._waiting += 1
        self._size += len(frame)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    def close(self, reason: CloseReason) -> None:
        """Close after what is queued."""
        if self._ended or self._closing is not None:
            return
        self._closing = reason
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    def close_at_once(self, reason: CloseReason) -> None:
        """Close and write nothing more of what is queued."""
        self._frames.clear()
        self._dropped = True
        self.close(reason)

    async def end(self) -> None:
        """The connection is over: wait for the task."""
        self._ended = True
        self._frames.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

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
                self._on_written()
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
