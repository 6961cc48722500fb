"""What the server sends: each function gives the text of one frame, ready for the socket."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from apps.protocol.errors import FrameError
from apps.protocol.ids import ClientMessageId
from apps.protocol.limits import HEARTBEAT_INTERVAL_SECONDS

PROTOCOL_VERSION = 1

INCOMING_PREFIX = '{"action":"incoming_message"'
"""How an ``incoming_message`` begins: the gateway tells it from other frames without parsing it again."""

RECEIVED_PREFIX = '{"action":"message_received"'
"""How a ``message_received`` begins."""


def connected(*, user_id: str, device_id: str, server_id: str, now_ms: int) -> str:
    """The first frame of every connection."""
    return _text(
        {
            "action": "connected",
            "protocol": PROTOCOL_VERSION,
            "user_id": user_id,
            "device_id": device_id,
            "server_id": server_id,
            "heartbeat_interval": HEARTBEAT_INTERVAL_SECONDS,
            "timestamp": now_ms,
        }
    )


def inbox_drained(count: int) -> str:
    """What waited has been sent: ``count`` incoming messages since ``connected``."""
    return _text({"action": "inbox_drained", "count": count})


def heartbeat(now_ms: int) -> str:
    """The answer to a heartbeat."""
    return f'{{"action":"heartbeat","timestamp":{now_ms}}}'


def message_received(*, message_id: str, client_id: ClientMessageId, timestamp_ms: int, sequence: int) -> str:
    """✓ for the sending device."""
    return _text(
        {
            "action": "message_received",
            "message_id": message_id,
            "message_id_by_client": client_id,
            "timestamp": timestamp_ms,
            "sequence": sequence,
        }
    )


def incoming_message(
    *,
    message_id: str,
    sender_id: str,
    receiver_id: str | None,
    group_id: str | None,
    content: str | None,
    envelope: dict[str, Any] | None,
    media: dict[str, Any] | None,
    reply_to: str | None,
    timestamp_ms: int,
    sequence: int,
) -> str:
    """A message for a receiver's device; ``receiver_id`` only in the copy for the sender's other devices."""
    frame: dict[str, Any] = {
        "action": "incoming_message",
        "message_id": message_id,
        "sender_id": sender_id,
        "content": content,
        "timestamp": timestamp_ms,
        "sequence": sequence,
    }
    optional = {
        "group_id": group_id,
        "receiver_id": receiver_id,
        "reply_to": reply_to,
        "media": media,
        "envelope": envelope,
    }
    return _text(frame | {name: value for name, value in optional.items() if value is not None})


def incoming_message_id(frame: str) -> str:
    """The message id of a frame that begins with INCOMING_PREFIX, cut out of its text."""
    start = len(INCOMING_PREFIX) + len(',"message_id":"')
    return frame[start : frame.index('"', start)]


def received_client_id(frame: str) -> ClientMessageId:
    """The client's own id of a frame that begins with RECEIVED_PREFIX."""
    client_id: ClientMessageId = orjson.loads(frame)["message_id_by_client"]
    return client_id


def message_delivered(
    *,
    message_id: str,
    timestamp_ms: int,
    client_id: ClientMessageId | None = None,
    counts: tuple[int, int] | None = None,
) -> str:
    """✓✓; with the client's own id for the device that sent the message; in a group with how many of how many members
    have it.
    """
    frame: dict[str, Any] = {"action": "message_delivered", "message_id": message_id, "timestamp": timestamp_ms}
    if client_id is not None:
        frame["message_id_by_client"] = client_id
    if counts is not None:
        frame["delivered"], frame["members"] = counts
    return _text(frame)


def message_read(*, message_id: str, reader_id: str, timestamp_ms: int, group_id: str | None = None) -> str:
    """That message and all earlier ones of its conversation have been read."""
    frame: dict[str, Any] = {
        "action": "message_read",
        "message_id": message_id,
        "reader_id": reader_id,
        "timestamp": timestamp_ms,
    }
    if group_id is not None:
        frame["group_id"] = group_id
    return _text(frame)


def typing(*, sender_id: str, state: str, receiver_id: str | None = None, group_id: str | None = None) -> str:
    """Somebody writes to somebody, or to a group, or stopped."""
    told = {"receiver_id": receiver_id} if group_id is None else {"group_id": group_id}
    return _text({"action": "typing", "sender_id": sender_id, **told, "state": state})


def group_event(
    *,
    group_id: str,
    event_id: str,
    kind: str,
    by: str,
    user_ids: Sequence[str],
    details: Mapping[str, Any],
    version: int,
    sequence: int,
    timestamp_ms: int,
) -> str:
    """Something happened to a group, at its place among the group's messages."""
    return _text(
        {
            "action": "group_event",
            "group_id": group_id,
            "event_id": event_id,
            "kind": kind,
            "by": by,
            "user_ids": list(user_ids),
            "sequence": sequence,
            "timestamp": timestamp_ms,
            "version": version,
            "details": dict(details),
        }
    )


def group_changed(*, group_id: str, version: int) -> str:
    """A group has another version: fetch it."""
    return _text({"action": "group_changed", "group_id": group_id, "version": version})


def group_activity(*, group_id: str, sequence: int) -> str:
    """There is something newer in a group that is polled."""
    return _text({"action": "group_activity", "group_id": group_id, "sequence": sequence})


def presence(*, user_id: str, online: bool, last_seen_ms: int | None) -> str:
    """The person whose chat is on screen came or went; null where it is not to be known when they were last seen."""
    return _text({"action": "presence", "user_id": user_id, "online": online, "last_seen": last_seen_ms})


def settings_changed() -> str:
    """The user's settings changed on another device."""
    return '{"action":"settings_changed"}'


def error(frame_error: FrameError) -> str:
    """Why a frame was not taken."""
    frame: dict[str, Any] = {"action": "error", "code": frame_error.code.value, "message": frame_error.message}
    optional = {
        "field": frame_error.field,
        "message_id_by_client": frame_error.message_id_by_client,
        "retry_after_ms": frame_error.retry_after_ms,
    }
    return _text(frame | {name: value for name, value in optional.items() if value is not None})


def late_error(*, code: str, message: str, message_id: str, client_id: ClientMessageId | None) -> str:
    """Withdraws a message that already had its ✓; without a client id for the sender's other devices."""
    frame: dict[str, Any] = {"action": "error", "code": code, "message": message, "message_id": message_id}
    if client_id is not None:
        frame["message_id_by_client"] = client_id
    return _text(frame)


def _text(frame: dict[str, Any]) -> str:
    return orjson.dumps(frame).decode()
