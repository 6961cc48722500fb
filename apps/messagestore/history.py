"""What people who keep history can read back, and how it goes when they want it no more.

A message is in a person's history while the row's ``history_for`` names them; the other side never sees that.
"""

from dataclasses import dataclass
from typing import Protocol

from apps.messagestore.base import Body

NEWEST = 2**63 - 1
"""Above every sequence and every time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The part of a person's history that is asked for.

    Accepted after ``after_ms`` and not after ``until_ms`` (by the message's timestamp), not past its time at
    ``now_ms``; at most ``limit`` items. Where all conversations are asked for, those with other people always are, and
    of groups those in ``group_ids``.
    """

    keeper_id: str
    now_ms: int
    limit: int
    after_ms: int = 0
    until_ms: int = NEWEST
    group_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation in a person's history: its last message, and how many from others are above the read pointer.

    ``at_ms`` is the latest timestamp, by which conversations are listed.
    """

    last: Body
    at_ms: int
    unread: int


class MessageHistory(Protocol):
    """The history side of a Message DB. Every method raises StoreUnavailable."""

    def list_messages(self, conversation_id: str, window: Window, below: int = NEWEST) -> list[Body]:
        """Messages of a conversation with a sequence below one, newest first."""

    def list_conversations(self, window: Window, before: tuple[int, str] = (NEWEST, "")) -> list[Conversation]:
        """Conversations by their last message, newest first, after the one of this (timestamp, conversation id)."""

    def forget(self, window: Window) -> int:
        """Take the keeper off messages of the window, and strip at once what then nobody keeps or waits for.

        May be repeated. Returns how many messages were concerned: fewer than ``limit`` means that none are left.
        """
