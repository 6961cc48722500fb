"""One client's connection: its place in the inbox, its heartbeats, and what it may still do."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from apps.gateway.close_codes import CloseReason
from apps.gateway.frame_queue import FrameQueue
from apps.gateway.inbox_cursor import InboxCursor
from apps.protocol import ids, server_frames
from apps.protocol.limits import BROKEN_FRAMES_PER_MINUTE

if TYPE_CHECKING:
    from apps.accounts.credentials import DeviceIdentity
    from apps.connections.registry import Registration, Standing
    from apps.gateway.process import GatewayProcess

logger = logging.getLogger(__name__)

REORDER_SECONDS = 0.2
"""How long a push that came too early may wait for the one before it: two relays may cross."""

FIRST_PAGE_TIMEOUT_SECONDS = 3.0
LONGEST_PAGE_TIMEOUT_SECONDS = 12.0
SECOND_LOOK_SECONDS = 2.0
STALLED_SECONDS = 0.25
"""How long a crowded queue may stand still: long enough for the writing task to have had its turn, so that what still
stands is what the client does not read.
"""

_NOTHING = ("", 0)


class Connection:
    """A device's live connection to this process."""

    __slots__ = (
        "_acknowledged",
        "_broken",
        "_drained",
        "_incoming",
        "_looked",
        "_page_timeout",
        "_process",
        "_seen_written",
        "_suspect",
        "_timer",
        "_wants_page",
        "client",
        "connected_at_ms",
        "connection_id",
        "credential_hash",
        "cursor",
        "device_id",
        "outgoing",
        "user_id",
    )

    def __init__(self, process: "GatewayProcess", identity: "DeviceIdentity", outgoing: FrameQueue) -> None:
        self._process = process
        self.user_id = identity.user_id
        self.device_id = identity.device_id
        self.credential_hash = identity.credential_hash
        self.connection_id = 0
        self.client = 0
        self.connected_at_ms = int(time.time() * 1000)
        self.cursor = InboxCursor()
        self.outgoing = outgoing
        outgoing.on_written = self._on_written
        self._looked = self._acknowledged = _NOTHING
        self._broken: deque[float] | None = None
        self._incoming = 0
        self._drained = False
        self._wants_page = False
        self._seen_written = 0
        self._suspect: tuple[str, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._page_timeout = FIRST_PAGE_TIMEOUT_SECONDS

    # -- writing --------------------------------------------------------------------------------------------------

    def send(self, frame: str) -> None:
        """Write a frame that has no place in the inbox."""
        self.outgoing.put(frame)

    def close(self, reason: CloseReason) -> None:
        """Close after what is queued."""
        self.outgoing.close(reason)

    def hand_over(self, client: int) -> None:
        """A newer connection of the device has come to another gateway; ``client`` is whose it is, 0 if unknown."""
        self.close(CloseReason.REPLACED)

    def _write(self, frames: list[str]) -> None:
        for frame in frames:
            self.outgoing.put(frame)
            if frame.startswith(server_frames.INCOMING_PREFIX):
                self._incoming += not self._drained
                self._expect_answer()
            elif frame.startswith(server_frames.RECEIVED_PREFIX):
                client_key = ids.client_id_key(server_frames.received_client_id(frame))
                self._process.batcher.note_standing(self, client_key)

    def _expect_answer(self) -> None:
        """A message was written: the client is to answer it."""
        self._process.silence.expect_answer(self)

    # -- the inbox ------------------------------------------------------------------------------------------------

    def start(self, registration: "Registration") -> None:
        """Begin after ``connected`` has been sent: live at once where nothing waits, else with a drain."""
        if registration.epoch and not registration.waits:
            self._go_live(registration)
        else:
            self._begin_drain(gap=False)

    def _go_live(self, registration: "Registration") -> None:
        frames = self.cursor.start_live(registration.epoch, registration.counter)
        self._finish_drain()
        self._write(frames)
        self._watch_gap()

    def push(self, epoch: str, counter: int, frame: str) -> None:
        """A push from a relay. One that comes after the close is not told of: the next connection gets it."""
        if self.outgoing.closing:
            return
        if self.outgoing.crowded and not self.cursor.draining:
            # It comes faster than this client reads: page by page from here on, each when the last one is written.
            self.cursor.begin_drain()
            self._wants_page = True
            self._watch_reading()
        frames = self.cursor.push(epoch, counter, frame)
        if frames:
            self._write(frames)
        if self.cursor.behind:
            self._watch_gap()

    def page(self, generation: int, epoch: str, after: int, upto: int, last: bool, frames: list[str]) -> None:
        """A page of a drain; the same holds as for a push."""
        if self.outgoing.closing:
            return
        written = self.cursor.page(generation, epoch, after, upto, last, frames)
        if written is None:
            return
        self._cancel_timer()
        self._page_timeout = FIRST_PAGE_TIMEOUT_SECONDS
        self._write(written[: len(frames)])
        if self.cursor.draining:
            self._wants_page = True
            if self.outgoing.has_room:
                self._on_written()
            return
        self._finish_drain()
        self._write(written[len(frames) :])
        self._watch_gap()

    def look(self, standing: "Standing") -> None:
        """What a heartbeat saw of the inbox. A push may be on its way: only a second look that shows the same is a
        gap.
        """
        if standing.replaced:
            self.close(CloseReason.REPLACED)
            return
        if not self.cursor.is_behind(standing.epoch, standing.counter):
            self._suspect = None
            return
        if standing.epoch != self.cursor.epoch or self._suspect == (standing.epoch, self.cursor.position):
            self._suspect = None
            self._begin_drain(gap=True)
            return
        self._suspect = (standing.epoch, self.cursor.position)
        asyncio.get_running_loop().call_later(SECOND_LOOK_SECONDS, self._process.heartbeats.look_again, self)

    def note_heartbeat(self) -> None:
        """The client's heartbeat: what was on the socket at the one before has arrived by now. Only the client's own
        heartbeats count, and only within an epoch: another one numbers anew.
        """
        self._acknowledged = self._looked
        if self.outgoing.empty:
            self._looked = (self.cursor.epoch, self.cursor.position)

    def note_confirmed(self, message_ids: Sequence[str]) -> None:
        """The client has stored these messages. A socket needs no more: its next one gets what was not confirmed."""

    def acknowledged_position(self) -> int:
        """The counter up to which receipts have arrived, in the cursor's epoch; asking again changes nothing."""
        epoch, position = self._acknowledged
        return position if epoch == self.cursor.epoch else 0

    def _finish_drain(self) -> None:
        if not self._drained:
            self._drained = True
            self.outgoing.put(server_frames.inbox_drained(self._incoming))

    def _begin_drain(self, *, gap: bool) -> None:
        if self.outgoing.closing:
            return
        self._cancel_timer()
        self.cursor.begin_drain()
        self._ask_for_page(gap=gap)

    def _ask_for_page(self, *, gap: bool) -> None:
        self._wants_page = False
        cursor = self.cursor
        self._process.drains.ask(self, cursor.generation, cursor.epoch, cursor.position, gap=gap)
        self._set_timer(self._page_timeout, self._on_page_timeout)

    def _on_page_timeout(self) -> None:
        self._timer = None
        if self.cursor.draining:
            # The same generation: whichever answer comes first counts, the other no longer joins on.
            self._page_timeout = min(self._page_timeout * 2, LONGEST_PAGE_TIMEOUT_SECONDS)
            self._ask_for_page(gap=False)

    def _on_written(self) -> None:
        if self._wants_page:
            self._ask_for_page(gap=False)

    def _watch_reading(self) -> None:
        """The queue is crowded: it must move, or this client does not read."""
        self._seen_written = self.outgoing.written
        self._set_timer(STALLED_SECONDS, self._on_stalled)

    def _on_stalled(self) -> None:
        self._timer = None
        if self._wants_page and self.outgoing.written == self._seen_written:
            logger.info("%s reads too slowly and is closed; its inbox keeps all", self.device_id)
            self.outgoing.close_at_once(CloseReason.READS_TOO_SLOWLY)
        elif self._wants_page:
            self._watch_reading()

    def _watch_gap(self) -> None:
        if self.cursor.must_drain:
            self._begin_drain(gap=True)
        elif self.cursor.behind and self._timer is None:
            self._set_timer(REORDER_SECONDS, self._on_gap)

    def _on_gap(self) -> None:
        self._timer = None
        if self.cursor.behind:
            self._begin_drain(gap=True)

    # -- timers and faults ----------------------------------------------------------------------------------------

    def count_broken_frame(self) -> bool:
        """Count a frame that no well-made client sends; True at the 20th within a minute."""
        now = time.monotonic()
        if self._broken is None:
            self._broken = deque(maxlen=BROKEN_FRAMES_PER_MINUTE)
        self._broken.append(now)
        return len(self._broken) == BROKEN_FRAMES_PER_MINUTE and now - self._broken[0] < 60

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def end(self) -> None:
        """The socket is gone."""
        self._cancel_timer()
        await self.outgoing.end()
