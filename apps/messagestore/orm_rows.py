"""Between the ORM adapter's rows and the store's types."""

from collections.abc import Sequence
from typing import Any

import orjson

from apps.messagestore.base import (
    TRACE_KEPT_MS,
    Body,
    Confirmation,
    NewMessage,
    Pointer,
    Standing,
    Trace,
)
from apps.protocol.limits import HISTORY_KEPT_MS


def insert_values(message: NewMessage, now_ms: int) -> tuple[Any, ...]:
    """Parameters of INSERT."""
    refused = bool(message.refusal)
    tracked = message.tracked and not refused
    return (
        message.message_id,
        message.sender_id,
        message.sender_device,
        message.client_id,
        message.digest,
        message.receiver_id,
        message.group_id,
        message.conversation_id,
        message.sequence,
        message.content,
        _to_json(message.envelope),
        _to_json(message.media),
        message.reply_to,
        message.timestamp_ms,
        message.sent_at_ms,
        now_ms,
        tracked,
        _to_list(message.pending_devices),
        _to_list(message.own_devices),
        tracked,
        _to_list(message.history_for),
        False,
        now_ms if refused else 0,
        message.refusal,
        now_ms if refused else None,
        now_ms + (TRACE_KEPT_MS if refused else message.kept_ms),
        message.polled,
        message.members,
    )


def confirm_values(confirmation: Confirmation) -> dict[str, Any]:
    """Parameters of the two confirmations."""
    device = f"{confirmation.device_id} "
    return {
        "id": confirmation.message_id,
        "user": confirmation.user_id,
        "device": device,
        "like": f"%{device}%",
        "note": f"{confirmation.device_id}:{confirmation.at_ms} ",
        "at": confirmation.at_ms,
        "trace_until": confirmation.at_ms + TRACE_KEPT_MS,
        "history_until": confirmation.at_ms + HISTORY_KEPT_MS,
    }


def pointer_values(pointer: Pointer) -> tuple[Any, ...]:
    """Parameters of RAISE_POINTER."""
    return (
        pointer.conversation_id,
        pointer.reader_id,
        pointer.peer_id,
        pointer.message_id,
        pointer.sequence,
        pointer.read_at_ms,
    )


def to_standing(row: tuple[Any, ...]) -> Standing:
    """A row of STANDING."""
    return Standing(
        message_id=row[0],
        sender_id=row[1],
        sender_device=row[2],
        client_id=row[3],
        digest=row[4],
        receiver_id=row[5],
        conversation_id=row[6],
        sequence=row[7],
        timestamp_ms=row[8],
        undelivered=bool(row[9]),
        pending_devices=tuple(row[10].split()),
        own_devices=tuple(row[11].split()),
        repeated=bool(row[12]),
        settled_at_ms=row[13] or None,
        refusal=row[14],
        group_id=row[15],
        members=row[16],
        delivered_count=row[17],
    )


def to_trace(row: tuple[Any, ...]) -> Trace:
    """A row of TRACE."""
    *standing, sent_at_ms, stored_at_ms, confirmations, history_for, stripped_at_ms, expires_at_ms = row
    notes = (note.rpartition(":") for note in confirmations.split())
    return Trace(
        standing=to_standing(tuple(standing)),
        sent_at_ms=sent_at_ms,
        stored_at_ms=stored_at_ms,
        confirmations=tuple((device_id, int(at_ms)) for device_id, _, at_ms in notes),
        history_for=tuple(history_for.split()),
        stripped_at_ms=stripped_at_ms,
        expires_at_ms=expires_at_ms,
    )


def to_body(row: tuple[Any, ...]) -> Body:
    """A row of BODY."""
    return Body(
        message_id=row[0],
        sender_id=row[1],
        receiver_id=row[2],
        group_id=row[3],
        content=row[4],
        envelope=_from_json(row[5]),
        media=_from_json(row[6]),
        reply_to=row[7],
        timestamp_ms=row[8],
        sequence=row[9],
        conversation_id=row[10],
        waited_for=(*row[11].split(), *row[12].split()),
        delivered=not row[13],
    )


def to_pointer(row: tuple[Any, ...]) -> Pointer:
    """A row of POINTER."""
    return Pointer(
        conversation_id=row[0],
        reader_id=row[1],
        peer_id=row[2],
        message_id=row[3],
        sequence=row[4],
        read_at_ms=row[5],
    )


def _to_list(ids: Sequence[str]) -> str:
    """Each id followed by a space, so that one can be taken out with ``replace``."""
    return "".join(f"{one} " for one in ids)


def _to_json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _from_json(value: str | None) -> dict[str, Any] | None:
    return None if value is None else orjson.loads(value)
