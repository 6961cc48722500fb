"""What a client is to write next: confirmations, test frames, its outbox and heartbeats."""

import time

from tests.client.history import Attempt, Frame, SentMessage
from tests.client.outbox import Outbox

MAX_IDS_PER_CONFIRMATION = 500
NEVER = float("inf")


class Outgoing:
    """The frames of one client, over all its connections; times are `time.monotonic()` seconds."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._unconfirmed: list[str] = []
        self._frames: list[Frame] = []
        self._heartbeat_interval = 30.0
        self._heartbeat_at = NEVER
        self._answer_by = NEVER

    def expect_connected(self, by: float) -> None:
        """A new connection is open; where nothing has come by then, it is half-open."""
        self._answer_by = by

    def begin(self, heartbeat_interval: float, now: float) -> None:
        """A new connection is live: the outbox starts again; what was not confirmed in time comes again by itself."""
        self._heartbeat_interval = heartbeat_interval
        self._heartbeat_at = now + heartbeat_interval
        self._answer_by = NEVER
        self._unconfirmed.clear()
        self._outbox.restart()

    def confirm(self, message_id: str) -> None:
        """Queue the confirmation of a stored message."""
        self._unconfirmed.append(message_id)

    def add(self, frame: Frame) -> None:
        """Queue any frame, to be written once."""
        self._frames.append(frame)

    def heartbeat_answered(self) -> None:
        """The server lives."""
        self._answer_by = NEVER

    def is_unanswered(self, now: float) -> bool:
        """Whether `connected` is overdue, or a heartbeat unanswered for one interval: the connection is half-open."""
        return now >= self._answer_by

    def next_at(self, *, is_online: bool) -> float:
        """When something will be due even if nothing more is queued."""
        if not is_online:
            return self._answer_by
        outbox_at = self._outbox.next_due_at()
        return min(self._heartbeat_at, self._answer_by, NEVER if outbox_at is None else outbox_at)

    def take(self, now: float, connection: int) -> list[Frame]:
        """The frames to write now, in order; the outbox's messages are noted as attempted on `connection`."""
        frames = [*self._take_confirmations(), *self._frames]
        self._frames.clear()
        for message in self._outbox.take_due(now):
            message.attempts.append(Attempt(at=now, connection=connection))
            frames.append(build_send_message(message))
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + self._heartbeat_interval
            self._answer_by = min(self._answer_by, now + self._heartbeat_interval)
            frames.append({"action": "heartbeat"})
        return frames

    def _take_confirmations(self) -> list[Frame]:
        """One frame for all that came since the last: the short form for one id, the long for several."""
        ids, self._unconfirmed = self._unconfirmed, []
        if len(ids) == 1:
            return [{"action": "message_delivered", "message_id": ids[0], "timestamp": epoch_ms()}]
        parts = [ids[i : i + MAX_IDS_PER_CONFIRMATION] for i in range(0, len(ids), MAX_IDS_PER_CONFIRMATION)]
        return [{"action": "message_delivered", "message_ids": part, "timestamp": epoch_ms()} for part in parts]


def build_send_message(message: SentMessage) -> Frame:
    """The `send_message` frame of a message, with the clock of now."""
    to = "group_id" if message.is_to_group else "receiver_id"
    return {
        "action": "send_message",
        to: message.receiver_id,
        "content": message.content,
        "message_id_by_client": message.client_id,
        "timestamp": epoch_ms(),
    }


def epoch_ms() -> int:
    """Milliseconds since the Unix epoch, as frames carry them."""
    return time.time_ns() // 1_000_000
