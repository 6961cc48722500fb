"""How fast one client's frames are read: above this pace the connection is left unread for a moment, so TCP slows
it.
"""

FRAMES_PER_SECOND = 200.0
BURST_FRAMES = 2_000.0
IDS_PER_FRAME = 25
"""So many confirmed ids cost as much as one frame more."""


class Pace:
    """A token bucket: FRAMES_PER_SECOND, BURST_FRAMES at once. Times in seconds, from any clock that never steps
    back.
    """

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._at = now
        self._tokens = BURST_FRAMES

    def spend(self, frames: float, now: float) -> float:
        """Take note of frames that were read; returns for how long nothing more should be read."""
        self._tokens = min(BURST_FRAMES, self._tokens + (now - self._at) * FRAMES_PER_SECOND) - frames
        self._at = now
        return max(0.0, -self._tokens / FRAMES_PER_SECOND)
