"""The connection of a client that polls: the same as a socket's, but its frames wait for the next poll."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.gateway.close_codes import CloseReason
from apps.gateway.connection import Connection
from apps.gateway.handlers import handle_frame
from apps.gateway.pace import Pace
from apps.gateway.poll_answers import PollAnswers
from apps.protocol import server_frames
from apps.protocol.limits import ANSWER_TIMEOUT_SECONDS
from apps.protocol.polls import PollMark, decode_mark

if TYPE_CHECKING:
    from apps.accounts.credentials import DeviceIdentity
    from apps.connections.registry import Registration, Standing
    from apps.gateway.process import GatewayProcess

OPENING_SECONDS = 3.0
"""How long the first answer waits for what the inbox holds. A client whose polls go to one gateway after another gets
it though each of them opens a connection.
"""

HANDOFF_SECONDS = 10.0
"""How long the handoff may take that says whose a newer connection is."""

OPENING_FRAMES = 2
"""``connected`` and ``inbox_drained``: all that the first answer has to say where nothing waited."""


class PollConnection(Connection):
    """A device's connection to this process by polls. It lives on between them, for 75 s."""

    __slots__ = ("_answered", "_moved", "_overtaken", "_pace", "_unconfirmed", "answers", "is_busy", "is_plain")

    answers: PollAnswers

    def __init__(
        self,
        process: "GatewayProcess",
        identity: "DeviceIdentity",
        last_poll: str | None,
        on_closed: Callable[["PollConnection"], None],
    ) -> None:
        self.answers = PollAnswers(lambda: on_closed(self))
        super().__init__(process, identity, self.answers)
        # A plain client says nothing of answers that came; of others ``client`` tells one from another.
        self.is_plain = last_poll is None
        self.client = decode_mark(last_poll).client if last_poll else 0
        self.is_busy = False
        self._answered = PollMark(client=0, connection_id=0, number=0, position=0, epoch="")
        self._moved = False
        self._overtaken = False
        # Of messages that an answer carried, when the first one did; the oldest first.
        self._unconfirmed: dict[str, float] = {}
        self._pace = Pace(time.monotonic())

    # -- opening --------------------------------------------------------------------------------------------------

    def open(self, registration: "Registration", received: PollMark | None) -> None:
        """Begin after ``connected`` was queued; after ``received``, where its client has had all up to there."""
        self.client = self.client or self.connection_id
        self._moved = registration.previous_server_id not in ("", self._process.server_id)
        asyncio.get_running_loop().call_later(OPENING_SECONDS, self._end_opening)
        if received is None or not registration.epoch or received.epoch != registration.epoch:
            self.start(registration)
            return
        self._looked = self._acknowledged = (received.epoch, received.position)
        if received.position >= registration.counter:
            self._go_live(registration)
        else:
            self.cursor.resume(received.epoch, received.position)
            self._begin_drain(gap=False)

    def _finish_drain(self) -> None:
        is_first = not self._drained
        super()._finish_drain()
        if is_first:
            # A client that was at another gateway a moment ago knows that it is connected: answering each of its polls
            # at once only to say so would make it send them without a pause.
            self.answers.answer_from(OPENING_FRAMES + 1 if self._moved else 1)

    def _end_opening(self) -> None:
        if not self._drained:
            self.answers.answer_from(1)

    # -- one poll -------------------------------------------------------------------------------------------------

    def is_continued_by(self, last_poll: str | None) -> bool:
        """Whether a poll that says so comes from the client of this connection."""
        if not last_poll:
            # Of clients that say nothing all polls of a device are one client's; an empty text begins anew.
            return last_poll is None and self.is_plain
        return decode_mark(last_poll).client == self.client

    async def handle(self, frames: Sequence[str]) -> bool:
        """Handle the frames of a poll, at no more than the client's pace. Returns whether all were taken: after a close
        nothing more is.
        """
        self.is_busy = True
        try:
            if settings.RATE_LIMIT_PER_MINUTE and (pause := self._pace.spend(1, time.monotonic())):
                await asyncio.sleep(pause)
            for frame in frames:
                if self.outgoing.closing:
                    return False
                self._pace.spend(handle_frame(self._process, self, frame), time.monotonic())
        finally:
            self.is_busy = False
        return True

    def note_poll(self, last_poll: str | None) -> None:
        """A poll has come, and its frames were handled: it is a heartbeat, and tells of the answers before it."""
        self._process.silence.heartbeat(self)
        if last_poll is None:
            if not self.answers.lost:
                self.answers.settle(self._has_confirmed)
            self._acknowledged = self._looked
            if self.answers.settled:
                self._looked = (self._answered.epoch, self._answered.position)
        elif last_poll == str(self._answered):
            self.answers.settle(lambda frames: True)
            self._looked = self._acknowledged = (self._answered.epoch, self._answered.position)
        else:
            self.answers.note_lost()
        self._process.heartbeats.beat(self)

    def _has_confirmed(self, frames: Sequence[str]) -> bool:
        """Whether the client of an answer, of which only its next poll tells, has confirmed all messages in it."""
        return not any(
            server_frames.incoming_message_id(frame) in self._unconfirmed
            for frame in frames
            if frame.startswith(server_frames.INCOMING_PREFIX)
        )

    async def wait_until_due(self, seconds: float, gone: "asyncio.Future[Any]") -> bool:
        """Hold a poll. False where nothing is to be answered with."""
        return await self.answers.wait_until_due(seconds if self._drained else max(seconds, OPENING_SECONDS), gone)

    def answer(self) -> tuple[list[str], PollMark]:
        """The frames of the answer, and how the client says that it has come."""
        frames = self.answers.take()
        now = time.monotonic()
        for frame in frames:
            if frame.startswith(server_frames.INCOMING_PREFIX):
                self._unconfirmed.setdefault(server_frames.incoming_message_id(frame), now)
        self._answered = self._mark()
        self._process.silence.heartbeat(self)
        return frames, self._answered

    @property
    def last_mark(self) -> PollMark:
        """How the client says that the last answer has come."""
        return self._answered

    def _mark(self) -> PollMark:
        return PollMark(
            client=self.client,
            connection_id=self.connection_id,
            number=self.answers.number,
            position=self.cursor.position,
            epoch=self.cursor.epoch,
        )

    # -- messages that were not confirmed -------------------------------------------------------------------------

    @property
    def owes_confirmations(self) -> bool:
        """Whether its client was told of a message and has not confirmed it in time: the answer was lost, or the
        client has begun anew, which without ``last_poll`` nothing else tells. A new connection brings it again.
        """
        oldest = next(iter(self._unconfirmed.values()), None)
        return oldest is not None and time.monotonic() - oldest >= ANSWER_TIMEOUT_SECONDS

    def note_confirmed(self, message_ids: Sequence[str]) -> None:
        """The client has stored these messages."""
        for message_id in message_ids:
            self._unconfirmed.pop(message_id, None)

    def _expect_answer(self) -> None:
        """Counted from the answer that carries the message."""

    # -- what polls do otherwise ----------------------------------------------------------------------------------

    def hand_over(self, client: int) -> None:
        """A newer connection has come to another gateway. Where its client is ours, a poll of it overtook this one:
        that replaces nobody.
        """
        self.close(CloseReason.MOVED if client and client == self.client else CloseReason.REPLACED)

    def look(self, standing: "Standing") -> None:
        """What a heartbeat saw. Only the handoff tells whose the newer connection is: it is given time to come."""
        if not standing.replaced or self._overtaken:
            super().look(standing)
            return
        self._overtaken = True
        asyncio.get_running_loop().call_later(HANDOFF_SECONDS, self._process.heartbeats.look_again, self)

    def note_heartbeat(self) -> None:
        """Nothing: its polls are its heartbeats, and say better what has arrived."""

    def _watch_reading(self) -> None:
        """Nothing: between two polls no client reads."""
