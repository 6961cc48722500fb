"""What is on its way to one client: a bounded queue that is closed once. How it leaves is the transport's business."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from apps.gateway.close_codes import CloseReason
from apps.gateway.measures import count_close

MAX_FRAMES = 4_096
MAX_BYTES = 2 * 1024 * 1024
"""About: a character counts as one. A client that lets this much gather reads too slowly."""

CROWDED_FRAMES = 512
CROWDED_BYTES = 256 * 1024
"""From here on pushes wait in the inbox."""


def _tell_nobody() -> None:
    """Stands for a callback that was not given."""


class FrameQueue(ABC):
    """The queue of one connection. ``on_written`` is called when the client has taken what was queued, so that more
    may come.
    """

    __slots__ = ("_closing", "_ended", "_frames", "_size", "_waiting", "on_written", "written")

    def __init__(self, on_written: Callable[[], None] = _tell_nobody) -> None:
        self.on_written = on_written
        # A list, and swapped when written: an empty deque would cost each idle connection 600 bytes.
        self._frames: list[str] = []
        self._waiting = 0
        self.written = 0
        self._size = 0
        self._closing: CloseReason | None = None
        self._ended = False

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether everything has been handed to the client."""

    @property
    @abstractmethod
    def has_room(self) -> bool:
        """Whether the next page of a drain may come."""

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
        self._advance()

    def close(self, reason: CloseReason) -> None:
        """Close after what is queued."""
        if self._ended or self._closing is not None:
            return
        self._closing = reason
        count_close(reason)
        self._advance()

    def close_at_once(self, reason: CloseReason) -> None:
        """Close and write nothing more of what is queued."""
        self._drop()
        self.close(reason)

    @abstractmethod
    async def end(self) -> None:
        """The connection is over."""

    @abstractmethod
    def _advance(self) -> None:
        """Something was queued, or the close."""

    @abstractmethod
    def _drop(self) -> None:
        """Forget what is queued."""
