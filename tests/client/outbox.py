"""The client's outbox: what has no ✓ yet, and when each of it is to be written (again)."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.client.history import ClientId, SentMessage


@dataclass(slots=True, kw_only=True)
class _Entry:
    message: SentMessage
    due_at: float
    in_flight: bool = False


class Outbox:
    """Messages by conversation, in the order they were submitted.

    A message that was refused for now holds back every newer one of its conversation that is not written yet, as the
    contract asks. One without an answer for `ack_timeout` seconds is written again.
    """

    def __init__(self, ack_timeout: float) -> None:
        self._ack_timeout = ack_timeout
        self._conversations: dict[str, dict[ClientId, _Entry]] = {}

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._conversations.values())

    def add(self, message: SentMessage) -> None:
        """Queue a new message; it is due at once."""
        entries = self._conversations.setdefault(message.receiver_id, {})
        entries[message.client_id] = _Entry(message=message, due_at=0.0)

    def settle(self, message: SentMessage) -> None:
        """Forget a message that has ✓ or was refused for good."""
        self._conversations.get(message.receiver_id, {}).pop(message.client_id, None)

    def postpone(self, message: SentMessage, until: float) -> None:
        """Write a message again at the time `until`, before any newer one of its conversation."""
        entry = self._conversations.get(message.receiver_id, {}).get(message.client_id)
        if entry is not None:
            entry.in_flight = False
            entry.due_at = until

    def restart(self) -> None:
        """A new connection: everything without ✓ is due at once, oldest first."""
        for entries in self._conversations.values():
            for entry in entries.values():
                entry.in_flight = False
                entry.due_at = 0.0

    def take_due(self, now: float) -> list[SentMessage]:
        """The messages to write now, in order; they count as in flight from here."""
        due: list[SentMessage] = []
        for entries in self._conversations.values():
            for entry in entries.values():
                if entry.due_at > now and not entry.in_flight:
                    break
                if entry.due_at <= now:
                    entry.in_flight = True
                    entry.due_at = now + self._ack_timeout
                    due.append(entry.message)
        return due

    def next_due_at(self) -> float | None:
        """The earliest time at which `take_due` gives something, or None when the outbox is empty."""
        return min((at for entries in self._conversations.values() for at in _list_due(entries)), default=None)


def _list_due(entries: dict[ClientId, _Entry]) -> Iterator[float]:
    """When a conversation's messages are due: nothing comes before the first that is not in flight."""
    for entry in entries.values():
        yield entry.due_at
        if not entry.in_flight:
            return
