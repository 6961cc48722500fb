"""What people's devices do that they should not: use a client id again for other words, confirm what is not theirs; and
cannot help: what they fail to store they do not confirm.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.client.history import ClientId, Frame, SentMessage
from tests.client.outgoing import epoch_ms
from tests.simulation.client import SimClient


@dataclass(slots=True)
class Reuse:
    """Other words under the client id of `first`, and what was said of them."""

    first: SentMessage
    is_taken: bool = False
    is_refused: bool = False
    is_doubtful: bool = False
    """✓ may have been for the first words, which were sent again."""

    def take_tick(self, message_id: str) -> None:
        """✓ has come. After a conflict each is for the first words; where those were sent again meanwhile, it may be
        for them, and tells it by their id in the end.
        """
        if self.is_refused:
            return
        first_came_again = len(self.first.attempts) > 1
        if first_came_again and message_id == self.first.message_id:
            self.is_taken = self.is_taken and not self.is_doubtful
        else:
            self.is_doubtful = first_came_again
            self.is_taken = True

    def take_conflict(self) -> None:
        """They are refused, be it late."""
        self.is_taken, self.is_refused = False, True


class Reuses:
    """The client ids that one device used again, and what it was told. The answers are not its history's business:
    that is of the first words.

    ✓ for other words is wrong, unless a late `conflict` takes it back.
    """

    def __init__(self, client: SimClient) -> None:
        self._client = client
        self._reuses: dict[ClientId, Reuse] = {}
        client.diverts = self._take

    def reuse(self) -> bool:
        """Send other words under the client id of a message that is long done with. Whether there was one."""
        history = self._client.history
        done = (m for m in history.sent.values() if is_settled(m) and m.client_id not in self._reuses)
        message = next(done, None)
        if message is None:
            return False
        self._reuses[message.client_id] = Reuse(message)
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
            for client_id, reuse in self._reuses.items():
                if reuse.is_taken:
                    device_id = self._client.device.device_id
                    yield f"other words under client id {client_id} of {device_id} got ✓ and no conflict"

    def _take(self, frame: Frame) -> bool:
        """Whether a frame answers other words."""
        reuse = self._reuses.get(frame.get("message_id_by_client", ""))
        if reuse is None or frame["action"] not in ("message_received", "error"):
            return False
        if frame["action"] == "message_received":
            reuse.take_tick(frame["message_id"])
        elif frame["code"] == "conflict":
            reuse.take_conflict()
        return True


class Forgetting:
    """The messages of a group that one device showed and could not store, as with a full disk: each comes again, since
    it was not confirmed, whatever came after it was.
    """

    def __init__(self, client: SimClient) -> None:
        self._client = client
        self._is_failing = False
        self._forgotten: list[str] = []
        client.diverts = _either(client.diverts, self._take)

    def begin(self) -> None:
        """The next message of the group cannot be stored."""
        self._is_failing = True

    def find_wrong(self) -> Iterator[str]:
        """Messages that did not come again."""
        history = self._client.history
        for message_id in () if history.is_logged_out else self._forgotten:
            if not history.shown[message_id].repeats:
                yield f"{message_id} was not confirmed by {history.device_id} and never came again"

    def _take(self, frame: Frame) -> bool:
        """Whether a frame is shown, and not confirmed."""
        if not self._is_failing or frame["action"] != "incoming_message" or not frame.get("group_id"):
            return False
        client = self._client
        if frame["message_id"] in client.history.shown:
            return False
        self._is_failing = False
        self._forgotten.append(frame["message_id"])
        client.history.record(frame, at=time.monotonic(), connection=client.connection)
        return True


def _either(first: Callable[[Frame], bool], second: Callable[[Frame], bool]) -> Callable[[Frame], bool]:
    return lambda frame: first(frame) or second(frame)


def is_settled(message: SentMessage) -> bool:
    """Whether nothing more will come of a message to a person: it was written once, and delivered."""
    return (
        not message.is_to_group
        and len(message.attempts) == 1
        and not message.errors
        and message.delivered_at is not None
    )


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
            if not message.is_to_group
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
