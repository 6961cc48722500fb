"""Message ids that sort by time: 41 bits of ms since 2024, 10 bits of worker, 12 bits of counter (Twitter's
Snowflake).
"""

from collections.abc import Callable

from apps.protocol.ids import SNOWFLAKE_EPOCH_MS

COUNTER_BITS = 12
WORKER_BITS = 10
_COUNTER_MASK = (1 << COUNTER_BITS) - 1

MAX_BORROWED_MS = 10_000
"""How far ids may run ahead of a clock that stepped back before issuing stops."""


class CannotIssue(Exception):
    """No id can be given out now: the lease ran out, or the clock stepped back too far. Try again in a moment."""


class SnowflakeIssuer:
    """Issues ids for one worker number, for as long as its lease runs by this process's monotonic clock.

    ``wall_ms`` gives ms since the Unix epoch and may step; ``monotonic`` gives seconds and never steps back.
    """

    def __init__(self, wall_ms: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._wall_ms = wall_ms
        self._monotonic = monotonic
        self._worker_id = -1
        self._valid_until = float("-inf")
        self._last_ms = 0
        self._counter = 0

    @property
    def worker_id(self) -> int:
        """The leased number; -1 before the first lease."""
        return self._worker_id

    @property
    def is_ahead_of_its_clock(self) -> bool:
        """Whether the clock has stepped back so far that only another number allows to go on now."""
        return self._last_ms - self._wall_ms() > MAX_BORROWED_MS

    def use_lease(self, worker_id: int, valid_until: float) -> None:
        """Issue under this number until the monotonic time ``valid_until``, in seconds."""
        if worker_id != self._worker_id:
            # Nobody has issued under it at this time: what came before under another need not be looked at.
            self._worker_id, self._last_ms, self._counter = worker_id, 0, 0
        self._valid_until = valid_until

    def issue(self) -> tuple[int, int]:
        """A new id (63 bits) and its time in ms. Raises CannotIssue."""
        if self._monotonic() >= self._valid_until:
            raise CannotIssue("the lease of the worker number has run out")
        now_ms = self._wall_ms()
        if now_ms > self._last_ms:
            self._last_ms, self._counter = now_ms, 0
        else:
            # The same millisecond, or a clock that stepped back: go on from the last id.
            if self._last_ms - now_ms > MAX_BORROWED_MS:
                raise CannotIssue("the clock has stepped back")
            self._counter += 1
            if self._counter > _COUNTER_MASK:
                self._last_ms, self._counter = self._last_ms + 1, 0
        ms = self._last_ms - SNOWFLAKE_EPOCH_MS
        return (ms << (WORKER_BITS + COUNTER_BITS)) | (self._worker_id << COUNTER_BITS) | self._counter, self._last_ms
