"""What clients send: one frozen type for each action, made by ``codec.decode_client_frame`` only."""

from dataclasses import dataclass
from typing import Any, Literal

from apps.protocol.ids import ClientMessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage:
    """``send_message``; exactly one of ``receiver_id`` and ``group_id`` is set."""

    receiver_id: str | None
    group_id: str | None
    content: str | None
    envelope: dict[str, Any] | None
    media: dict[str, Any] | None
    reply_to: str | None
    client_id: ClientMessageId
    sent_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDelivery:
    """``message_delivered``: this device has stored these messages (1 to 500 ids)."""

    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRead:
    """``message_read``: this message and all earlier ones of its conversation are read."""

    message_id: str
    receiver_id: str | None
    group_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """``heartbeat``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing:
    """``typing``: passed from server to server, stored nowhere."""

    receiver_id: str | None
    group_id: str | None
    state: Literal["start", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChat:
    """``open_chat``: the one chat on screen; neither id means none."""

    user_id: str | None
    group_id: str | None


ClientFrame = SendMessage | ConfirmDelivery | MarkRead | Heartbeat | Typing | OpenChat
