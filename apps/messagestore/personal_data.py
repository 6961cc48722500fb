"""All that a Message DB holds of one person: to hand it out, and to delete it."""

from dataclasses import dataclass
from typing import Protocol

from apps.messagestore.base import Body, Pointer, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMessage:
    """A message that somebody sent or received; ``body`` is None where its content is gone."""

    trace: Trace
    body: Body | None

    def is_for(self, user_id: str) -> bool:
        """Whether its content is this user's to read: written by them, kept by them, or still on its way to them."""
        standing = self.trace.standing
        return user_id in (standing.sender_id, *self.trace.history_for) or (
            standing.receiver_id == user_id and (standing.undelivered or bool(standing.pending_devices))
        )


class PersonalData(Protocol):
    """One person's side of a Message DB. Every method raises StoreUnavailable."""

    def list_messages(self, user_id: str, after_id: str, limit: int) -> list[HeldMessage]:
        """What somebody sent or received, by message id, after one of them."""

    def count_messages(self, user_id: str) -> int:
        """How many messages somebody sent or received."""

    def list_read_pointers(self, user_id: str) -> list[Pointer]:
        """How far somebody has read each conversation."""

    def erase(self, user_id: str, limit: int) -> int:
        """Delete rows of messages that somebody sent or received, at most so many, the read pointers of them and about
        them, and how far their devices are in groups. May be repeated. Returns the messages deleted.
        """
