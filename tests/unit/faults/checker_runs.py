"""Random runs of a site that keeps every promise, as its clients see it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.client.history import Attempt, Close, History, SentMessage

OUTDATED = 1_000_000


@dataclass(slots=True)
class Message:
    """One message of the site."""

    sender: History
    sent: SentMessage
    number: int
    told: bool = False  # a device of its receiver has shown it

    @property
    def ids(self) -> dict[str, object]:
        return {"message_id": f"msg-{self.number}", "sequence": self.number, "timestamp": self.number}


@dataclass(slots=True)
class Line:
    """What waits for a device: ✓s and ✓✓s in any order, messages in the order of their conversations."""

    history: History
    connection: int = 1
    waiting: list[Message] = field(default_factory=list)
    receipts: list[dict[str, object]] = field(default_factory=list)


class HonestRun:
    """A few people with up to three devices each, drawn from a seed: messages cross, come late and again, ✓ comes with
    an outdated id first, devices reconnect, log in and log out. `histories` is what was seen, at rest.
    """

    def __init__(self, seed: int, steps: int = 60) -> None:
        self._rng = random.Random(seed)
        self._now = 0.0
        self._messages: list[Message] = []
        self._lines: list[Line] = []
        self._users = [f"usr-{number}" for number in range(self._rng.randint(2, 4))]
        for user_id in self._users:
            for _ in range(self._rng.randint(1, 3)):
                self._add_device(user_id)
        acts: tuple[Callable[[], None], ...] = (
            *(self._send, self._send, self._send, self._arrive, self._arrive, self._arrive, self._learn, self._learn),
            *(self._repeat, self._reconnect, self._log_in, self._log_out),
        )
        for _ in range(steps):
            self._now += 1.0
            self._rng.choice(acts)()
        while any(line.waiting or line.receipts for line in self._there()):
            self._now += 1.0
            self._arrive()
            self._learn()

    @property
    def histories(self) -> list[History]:
        return [line.history for line in self._lines]

    def _there(self) -> list[Line]:
        return [line for line in self._lines if not line.history.is_logged_out]

    def _of(self, user_id: str) -> Iterator[Line]:
        return (line for line in self._there() if line.history.user_id == user_id)

    def _add_device(self, user_id: str) -> Line:
        line = Line(History(user_id, f"dev-{len(self._lines)}"))
        self._lines.append(line)
        return line

    def _send(self) -> None:
        line = self._rng.choice(self._there())
        peer = self._rng.choice([user_id for user_id in self._users if user_id != line.history.user_id])
        number = len(self._messages) + 1
        sent = SentMessage(client_id=number, receiver_id=peer, content=f"word {number}", submitted_at=self._now)
        sent.attempts.append(Attempt(at=self._now, connection=line.connection))
        line.history.sent[number] = sent
        message = Message(line.history, sent, number)
        self._messages.append(message)
        acknowledgement = {"action": "message_received", "message_id_by_client": number} | message.ids
        if self._rng.random() < 0.2:
            sent.attempts.append(Attempt(at=self._now + 0.1, connection=line.connection))
            other = {"message_id": f"msg-{number + OUTDATED}", "sequence": number + OUTDATED}
            line.history.record({**acknowledgement, **other}, at=self._now + 0.2, connection=line.connection)
        line.receipts.append(acknowledgement)
        for other_line in (*self._of(peer), *self._of(line.history.user_id)):
            if other_line is not line:
                other_line.waiting.append(message)

    def _arrive(self) -> None:
        lines = [line for line in self._there() if line.waiting]
        if not lines:
            return
        line = self._rng.choice(lines)
        peers = [self._conversation(message) for message in line.waiting]
        place = peers.index(self._rng.choice(peers))
        message = line.waiting.pop(place)
        self._show(line, message)
        if line.history.user_id == message.sent.receiver_id and not message.told:
            message.told = True
            for own in self._of(message.sender.user_id):
                named = {"message_id_by_client": message.number} if own.history is message.sender else {}
                own.receipts.append({"action": "message_delivered"} | message.ids | named)

    def _show(self, line: Line, message: Message) -> None:
        frame = {"action": "incoming_message", "sender_id": message.sender.user_id, "content": message.sent.content}
        if line.history.user_id != message.sent.receiver_id:
            frame["receiver_id"] = message.sent.receiver_id
        line.history.record(frame | message.ids, at=self._now, connection=line.connection)

    def _learn(self) -> None:
        lines = [line for line in self._there() if line.receipts]
        if lines:
            line = self._rng.choice(lines)
            frame = line.receipts.pop(self._rng.randrange(len(line.receipts)))
            line.history.record(frame, at=self._now + 0.5, connection=line.connection)

    def _repeat(self) -> None:
        line = self._rng.choice(self._there())
        if line.history.shown:
            shown = self._rng.choice(list(line.history.shown.values()))
            self._show(line, self._messages[shown.sequence - 1])

    def _reconnect(self) -> None:
        line = self._rng.choice(self._there())
        line.history.closes.append(Close(at=self._now, connection=line.connection, code=1006, reason=""))
        line.connection += 1

    def _log_in(self) -> None:
        """A new device gets what no device of its user has."""
        line = self._add_device(self._rng.choice(self._users))
        line.history.logged_in_at = self._now
        user_id = line.history.user_id
        line.waiting += [one for one in self._messages if one.sent.receiver_id == user_id and not one.told]

    def _log_out(self) -> None:
        """The last device of a user stays."""
        line = self._rng.choice(self._there())
        if len(list(self._of(line.history.user_id))) > 1:
            line.history.logged_out_at = self._now

    @staticmethod
    def _conversation(message: Message) -> frozenset[str]:
        return frozenset((message.sender.user_id, message.sent.receiver_id))
