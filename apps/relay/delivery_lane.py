"""The relay's second lane: while one batch is stored, the one before it is delivered. Order is kept; nothing is
skipped.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from apps.inbox.inbox import Change
from apps.observability.metrics import DELIVER_SECONDS, PAUSES
from apps.valkey.pools import ValkeyError

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
PLACE_SECONDS = 0.5
"""How long a batch waits for a place before whoever brings it looks after other things for a moment."""

SLICE = 10_000
"""Changes in one call: a call that takes longer than its timeout would be repeated for ever, whole."""

Deliver = Callable[[Sequence[Change]], object]
Done = Callable[[], object]


class DeliveryLane:
    """Delivers batches in the order given, in a thread of its own; at most one waits behind the one under way.

    ``deliver`` is repeated while Valkey is down. A change that cannot be delivered for any other reason is given up
    with ``give_up``: the Message DB still has what it was about.
    """

    def __init__(self, deliver: Deliver, give_up: Callable[[Change], object]) -> None:
        self._deliver = deliver
        self._give_up = give_up
        self._waiting: queue.Queue[tuple[Sequence[Change], Done] | None] = queue.Queue(maxsize=1)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery lane", daemon=True)
        self._thread.start()

    def submit(self, changes: Sequence[Change], done: Done) -> bool:
        """Hand over a batch; False if for ``PLACE_SECONDS`` another one waited: then try again.

        ``done`` is called, in the lane's thread, when the changes took effect, and again where Valkey failed it; never
        if they did not before the end.
        Raises RuntimeError if the lane has died.
        """
        if not self._thread.is_alive():
            raise RuntimeError("the delivery lane has died")
        try:
            self._waiting.put((changes, done), timeout=PLACE_SECONDS)
        except queue.Full:
            return False
        return True

    def close(self, seconds: float) -> None:
        """Finish what was handed over, for at most so long; what is left is delivered again after a restart."""
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            logger.warning("a batch was not delivered before the end")
        self._thread.join(seconds)
        self._ending.set()
        self._thread.join(LONGEST_PAUSE_SECONDS)

    def _run(self) -> None:
        while not self._ending.is_set():
            batch = self._waiting.get()
            if batch is None:
                return
            changes, done = batch
            for start in range(0, len(changes), SLICE):
                self._deliver_patiently(changes[start : start + SLICE])
            self._finish_patiently(done)

    def _finish_patiently(self, done: Done) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._ending.is_set():
            try:
                done()
                return
            except (ValkeyError, OSError) as error:
                PAUSES["cache"].inc()
                logger.warning("the cache does not answer, the end of a batch waits: %s", error)
                self._ending.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _deliver_patiently(self, changes: Sequence[Change]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._ending.is_set():
            try:
                with DELIVER_SECONDS.time():
                    self._deliver(changes)
                return
            except (ValkeyError, OSError) as error:
                PAUSES["cache"].inc()
                logger.warning("the cache does not answer, the batch waits: %s", error)
                self._ending.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except Exception:
                logger.exception("%d changes could not be delivered; taking them apart", len(changes))
                self._take_apart(changes)
                return

    def _give_up_patiently(self, change: Change) -> None:
        while not self._ending.is_set():
            try:
                self._give_up(change)
                return
            except (ValkeyError, OSError):
                self._ending.wait(LONGEST_PAUSE_SECONDS)

    def _take_apart(self, changes: Sequence[Change]) -> None:
        if len(changes) == 1:
            self._give_up_patiently(changes[0])
            return
        middle = len(changes) // 2
        self._deliver_patiently(changes[:middle])
        self._deliver_patiently(changes[middle:])
