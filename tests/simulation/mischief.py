"""What people's devices do that they should not: use a client id again for other words, confirm what is not theirs."""

import asyncio
from collections.abc import Iterable, Iterator

from tests.client.history import ClientId, Frame, SentMessage
from tests.client.outgoing import epoch_ms
from tests.simulation.client import SimClient


class Reuses:
    """The client ids that one device used again, and what it was told. The answers are not its history's business:
    that is of the first words.

    ✓ for other words is wrong, unless a late `conflict` takes it back. After that each ✓ is for the first words,
    which may be sent again at any time.
    """

    def __init__(self, client: SimClient) -> None:
        self._client = client
        self._unsettled: dict[ClientId, bool] = {}  # whether ✓ has come
        self._told: set[ClientId] = set()  # there has been a conflict
        client.diverts = self._take

    def reuse(self) -> bool:
        """Send other words under the client id of a message that is long done with. Whether there was one."""
        history = self._client.history
        done = (m for m in history.sent.values() if is_settled(m) and m.client_id not in self._unsettled)
        message = next(done, None)
        if message is None:
            return False
        self._unsettled[message.client_id] = False
        frame = {
            "action": "send_message",
            "receiver_id": message.receiver_id,
            "content": f"other words than {message.content}",
            "message_id_by_client": message.client_id,
            "timestamp": epoch_ms(),
        }
        self._client.send_frame(frame)
        return True

    def find_wrong(self) -> Iterator[str]:
        """The client ids under which other words were taken, and not taken back."""
        if not self._client.history.is_logged_out:
            for client_id, has_tick in self._unsettled.items():
                if has_tick:
                    device_id = self._client.device.device_id
                    yield f"other words under client id {client_id} of {device_id} got ✓ and no conflict"

    def _take(self, frame: Frame) -> bool:
        """Whether a frame answers other words."""
        client_id = frame.get("message_id_by_client")
        if client_id not in self._unsettled:
            return False
        if frame["action"] == "message_received":
            self._unsettled[client_id] = client_id not in self._told
            return True
        if frame["action"] == "error":
            if frame["code"] == "conflict":
                self._unsettled[client_id] = False
                self._told.add(client_id)
            return True
        return False


def is_settled(message: SentMessage) -> bool:
    """Whether nothing more will come of a message: it was written once, and delivered."""
    return len(message.attempts) == 1 and not message.errors and message.delivered_at is not None


def confirm_as_stranger(client: SimClient, everybody: Iterable[SimClient]) -> bool:
    """Confirm and read the newest message between other people. Whether there was one."""
    now = asyncio.get_running_loop().time()
    found = max(
        (
            (message.submitted_at, str(message.message_id), message.receiver_id)
            for other in everybody
            if other.user_id != client.user_id
            for message in other.history.sent.values()
            if message.receiver_id != client.user_id and message.message_id and message.submitted_at <= now
        ),
        default=None,
    )
    if found is None:
        return False
    _, message_id, receiver_id = found
    common = {"message_id": message_id, "timestamp": epoch_ms()}
    client.send_frame({"action": "message_delivered"} | common)
    client.send_frame({"action": "message_read", "receiver_id": receiver_id} | common)
    return True
