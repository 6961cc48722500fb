"""The histories of one run, indexed for the checks."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tests.client.history import History, SentMessage, ShownMessage


class Events:
    """Contents must be unique within a run: only they tell one message that was stored twice from two messages.

    What concerns groups has checks of its own, and is left out here.
    """

    def __init__(self, histories: Sequence[History]) -> None:
        self.histories = histories
        self.sent: dict[str, tuple[History, SentMessage]] = {}  # by content
        self.by_id: dict[str, tuple[History, SentMessage]] = {}  # by the id that stands
        self.devices: dict[str, list[History]] = defaultdict(list)  # by user
        for history in histories:
            self.devices[history.user_id].append(history)
            for message in history.sent.values():
                if not message.is_to_group:
                    self._add(history, message)
        self.late_codes = list_late_codes(histories)
        self.shown: dict[History, dict[str, list[ShownMessage]]] = {}  # by content
        for history in histories:
            by_content: dict[str, list[ShownMessage]] = defaultdict(list)
            for shown in list_direct(history):
                by_content[shown.content].append(shown)
            self.shown[history] = by_content

    def _add(self, history: History, message: SentMessage) -> None:
        if message.content in self.sent:
            raise ValueError(f"the content {message.content!r} was sent twice: this run cannot be judged")
        self.sent[message.content] = (history, message)
        if message.message_id is not None:
            self.by_id[message.message_id] = (history, message)

    def copies(self, sender: History, message: SentMessage) -> Iterator[History]:
        """The devices that may show a message: the receiver's, and the sender's other ones."""
        yield from self.devices[message.receiver_id]
        yield from (device for device in self.devices[sender.user_id] if device is not sender)

    def sure_copies(self, sender: History, message: SentMessage) -> Iterator[History]:
        """Those that must show it: logged in before it was written, and never logged out."""
        for device in self.copies(sender, message):
            if device.logged_in_at <= message.submitted_at and not device.is_logged_out:
                yield device

    def is_refused(self, message: SentMessage) -> bool:
        """Whether an error ended it: the late ones come to all of the sender's devices, and the sending one may have
        logged out by then.
        """
        return message.is_refused or bool(self.list_late_codes(message))

    def list_late_codes(self, message: SentMessage) -> set[str]:
        """The codes by which a message was withdrawn after its ✓, as any device of its sender heard."""
        sender, _ = self.sent[message.content]
        own = {error["code"] for error in message.errors if "message_id" in error}
        return own | self.late_codes.get((sender.user_id, message.message_id or ""), set())

    def may_hold_outdated_id(self, sender: History, message: SentMessage) -> bool:
        """Whether the sending device logged out before it could learn of another id: nobody else knows its one."""
        arrived = (shown for device in self.copies(sender, message) for shown in self.shown[device][message.content])
        return sender.is_logged_out and all(shown.message_id != message.message_id for shown in arrived)

    def first_shown(self, user_id: str, content: str) -> ShownMessage | None:
        """The first arrival of a message at any device of a user."""
        found = [shown for device in self.devices[user_id] for shown in self.shown[device].get(content, ())]
        return min(found, key=lambda shown: shown.at, default=None)

    def describe(self, message: SentMessage) -> str:
        """A message by its words and the id that stands, and what happened to it, in the order of time."""
        sender, _ = self.sent[message.content]
        story = [(message.submitted_at, f"written on {sender.device_id}")]
        story += [(one.at, f"✓ as {one.message_id}, {one.sequence}") for one in message.acknowledgements]
        story += [(attempt.at, "sent again") for attempt in message.attempts[1:]]
        if message.delivered_at is not None:
            story.append((message.delivered_at, "✓✓"))
        for device in self.copies(sender, message):
            for shown in self.shown[device].get(message.content, ()):
                story.append(
                    (shown.at, f"at {device.device_id}" + (f", {shown.repeats} more times" * bool(shown.repeats)))
                )
        told = "; ".join(f"{at - message.submitted_at:.1f} s {what}" for at, what in sorted(story))
        codes = sorted({error["code"] for error in message.errors} | self.list_late_codes(message))
        heard = f"; errors: {', '.join(codes)}" if codes else ""
        return f"{message.content!r} ({message.message_id}): {told}{heard}"


def list_direct(history: History) -> list[ShownMessage]:
    """What came to a device from person to person, in the order of first arrival."""
    return [shown for shown in history.shown.values() if shown.group_id is None]


def list_late_codes(histories: Sequence[History]) -> dict[tuple[str, str], set[str]]:
    """The codes of errors that name a message, by the user who heard them and the id that stands."""
    codes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for history in histories:
        for error in history.errors:
            if "message_id" in error:
                codes[history.user_id, error["message_id"]].add(error["code"])
    return codes
