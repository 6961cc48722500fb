"""What is on its way to a client that polls: it gathers here, and an answer takes all of it.

Answers are kept until the client is known to have them: until then the next one begins with them.
"""

import asyncio
from collections.abc import Callable
from itertools import chain
from typing import Any

from apps.gateway.close_codes import CloseReason
from apps.gateway.frame_queue import FrameQueue

UNBOUNDED = 1 << 30


class PollAnswers(FrameQueue):
    """The queue of one polling client. ``on_closed`` is called once, when it closes."""

    __slots__ = ("_enough", "_kept", "_lost", "_open_poll", "number", "on_closed")

    def __init__(self, on_closed: Callable[[], None]) -> None:
        super().__init__()
        self.on_closed = on_closed
        self.number = 0
        self._kept: list[list[str]] = []
        self._lost = False
        self._enough = UNBOUNDED
        self._open_poll: asyncio.Future[None] | None = None

    @property
    def empty(self) -> bool:
        """Whether the client has everything."""
        return not self._frames and not self._kept

    @property
    def has_room(self) -> bool:
        """Whether the next page may come: a client between two polls takes nothing, and what may wait is bounded."""
        return not self.crowded

    @property
    def close_reason(self) -> CloseReason | None:
        """Why it closed, if it did."""
        return self._closing

    def answer_from(self, frames: int) -> None:
        """An answer is due when so many frames wait."""
        self._enough = frames
        self._advance()

    async def wait_until_due(self, seconds: float, gone: "asyncio.Future[Any]") -> bool:
        """Hold a poll until an answer is due or its time is over.

        False where nothing is to be answered with: another poll took this one's place, or its client is gone.
        """
        self.release()
        poll = self._open_poll = asyncio.get_running_loop().create_future()
        self._advance()
        await asyncio.wait((poll, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._open_poll is not poll:
            return False
        self._open_poll = None
        return not gone.done()

    def release(self) -> None:
        """Let the open poll go with nothing: a newer one has come."""
        poll, self._open_poll = self._open_poll, None
        if poll is not None and not poll.done():
            poll.set_result(None)

    def take(self) -> list[str]:
        """The frames of the next answer."""
        frames = [*chain.from_iterable(self._kept), *self._frames]
        self.written += len(self._frames)
        if self._frames:
            self._kept.append(self._frames)
            self._frames = []
        self._lost = False
        self.number += 1
        self._enough = 1
        return frames

    def settle(self, is_received: Callable[[list[str]], bool]) -> None:
        """Forget the oldest answers, as far as the client has received them."""
        while self._kept and is_received(self._kept[0]):
            frames = self._kept.pop(0)
            self._waiting -= len(frames)
            self._size -= sum(map(len, frames))
        self._lost = self._lost and bool(self._kept)
        if self.has_room:
            self.on_written()

    def note_lost(self) -> None:
        """Answers have not come: they come again with the next poll, which need not wait for more."""
        self._lost = bool(self._kept)

    @property
    def settled(self) -> bool:
        """Whether the client has every answer."""
        return not self._kept

    @property
    def lost(self) -> bool:
        """Whether an answer is known not to have come."""
        return self._lost

    def close(self, reason: CloseReason) -> None:
        """Close; an open poll is answered with the reason and what is queued."""
        if not self.closing:
            super().close(reason)
            self.on_closed()

    async def end(self) -> None:
        """The connection is over. What is queued stays for the poll that is being answered."""
        self._ended = True

    def _advance(self) -> None:
        poll = self._open_poll
        if poll is not None and not poll.done() and self._is_due():
            poll.set_result(None)

    def _is_due(self) -> bool:
        if self._closing is not None or self._lost:
            return True
        return bool(self._frames) and (self.crowded or len(self._frames) >= self._enough)

    def _drop(self) -> None:
        self._kept, self._frames = [], []
        self._waiting = self._size = 0
