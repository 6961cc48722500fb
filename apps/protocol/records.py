"""What stands on the log: frozen types in the past tense, each a short JSON array on the wire.

The first element names the kind. A record is never changed once written; a new shape gets a new kind.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from apps.protocol import ids
from apps.protocol.client_frames import SendMessage


class BrokenRecord(ValueError):
    """A payload on the log that is no record: for the dead-letter stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSubmitted:
    """A sender's message was admitted. ``client_id`` is the key form of ``ids.client_id_key``."""

    message_id: str
    sender_id: str
    sender_device: str
    client_id: str
    digest: str
    receiver_id: str | None
    group_id: str | None
    content: str | None
    envelope: dict[str, Any] | None
    media: dict[str, Any] | None
    reply_to: str | None
    timestamp_ms: int
    sent_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRetried:
    """A sender's device asked again after a message that has its ✓: it wants to know how it stands.

    ``message_id`` is what the gateway's cache says; ``client_id`` (its key) and ``receiver_id`` name the message where
    that is the id of a repeat, which was dropped. They are empty in records of before they were written.
    """

    message_id: str
    sender_id: str
    sender_device: str
    client_id: str = ""
    receiver_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConfirmed:
    """A device has stored these messages."""

    user_id: str
    device_id: str
    message_ids: tuple[str, ...]
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRead:
    """A user has read a message and all earlier ones of its conversation. ``told`` is the user or group to be told."""

    user_id: str
    device_id: str
    told: str
    message_id: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChangeSubmitted:
    """Somebody asked for a change of a group; whether it comes into force is decided in the log's order.

    ``kind`` is one of the group events' kinds, ``by`` who asked, ``user_ids`` whom it concerns, ``details`` what the
    kind needs besides.
    """

    event_id: str
    group_id: str
    kind: str
    by: str
    user_ids: tuple[str, ...]
    details: dict[str, Any]
    timestamp_ms: int


_Notice = MessageRetried | DeliveryConfirmed | ConversationRead | GroupChangeSubmitted
Record = MessageSubmitted | _Notice


def content_digest(frame: SendMessage) -> str:
    """128 bits over all that makes a message's content: receiver or group, content, envelope, media, reply_to."""
    parts = [frame.receiver_id, frame.group_id, frame.content, frame.envelope, frame.media, frame.reply_to]
    return blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def encode_record(record: Record) -> bytes:
    """The record as it stands on the log."""
    match record:
        case MessageSubmitted():
            fields: list[Any] = [
                "m",
                record.message_id,
                record.sender_id,
                record.sender_device,
                record.client_id,
                record.digest,
                record.receiver_id,
                record.group_id,
                record.content,
                record.envelope,
                record.media,
                record.reply_to,
                record.timestamp_ms,
                record.sent_at_ms,
            ]
        case MessageRetried():
            fields = [
                "q",
                record.message_id,
                record.sender_id,
                record.sender_device,
                record.client_id,
                record.receiver_id,
            ]
        case DeliveryConfirmed():
            fields = ["d", record.user_id, record.device_id, record.message_ids, record.timestamp_ms]
        case ConversationRead():
            fields = ["r", record.user_id, record.device_id, record.told, record.message_id, record.timestamp_ms]
        case GroupChangeSubmitted():
            fields = [
                "g",
                record.event_id,
                record.group_id,
                record.kind,
                record.by,
                record.user_ids,
                record.details,
                record.timestamp_ms,
            ]
    return orjson.dumps(fields)


def decode_record(payload: str | bytes) -> Record:
    """The record that ``encode_record`` wrote. Raises BrokenRecord, saying what is wrong."""
    try:
        fields = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BrokenRecord("expected a JSON array") from error
    if not isinstance(fields, list) or not fields:
        raise BrokenRecord("expected a JSON array that is not empty")
    match fields:
        case ["m", *rest] if len(rest) == 13:
            return _message_submitted(rest)
        case ["q", str(message_id), str(sender_id), str(device_id)]:
            record: _Notice = MessageRetried(message_id=message_id, sender_id=sender_id, sender_device=device_id)
        case ["q", str(message_id), str(sender_id), str(device_id), str(client_id), str(receiver_id)]:
            record = MessageRetried(
                message_id=message_id,
                sender_id=sender_id,
                sender_device=device_id,
                client_id=client_id,
                receiver_id=receiver_id,
            )
        case ["d", str(user_id), str(device_id), list(message_ids), int(timestamp_ms)]:
            record = DeliveryConfirmed(
                user_id=user_id, device_id=device_id, message_ids=tuple(message_ids), timestamp_ms=timestamp_ms
            )
        case ["r", str(user_id), str(device_id), str(told), str(message_id), int(timestamp_ms)]:
            record = ConversationRead(
                user_id=user_id, device_id=device_id, told=told, message_id=message_id, timestamp_ms=timestamp_ms
            )
        case [
            "g",
            str(event_id),
            str(group_id),
            str(kind),
            str(by),
            list(user_ids),
            dict(details),
            int(timestamp_ms),
        ]:
            record = GroupChangeSubmitted(
                event_id=event_id,
                group_id=group_id,
                kind=kind,
                by=by,
                user_ids=tuple(user_ids),
                details=details,
                timestamp_ms=timestamp_ms,
            )
        case _:
            raise BrokenRecord(f"unknown kind or wrong number of fields: {str(fields[0])[:20]!r}")
    _check_ids(record)
    return record


def _message_submitted(rest: list[Any]) -> MessageSubmitted:
    message_id, sender_id, device_id, client_id, digest, receiver_id, group_id, *content = rest
    text, envelope, media, reply_to, *times = content
    texts = device_id, client_id, digest
    if not (
        ids.is_message_id(message_id)
        and ids.is_user_id(sender_id)
        and all(isinstance(text, str) for text in texts)
        and (receiver_id is None or ids.is_user_id(receiver_id))
        and (group_id is None or ids.is_group_id(group_id))
        and (receiver_id is None) != (group_id is None)
        and all(isinstance(one, str | None) for one in (text, reply_to))
        and all(isinstance(one, dict | None) for one in (envelope, media))
        and all(isinstance(time, int) for time in times)
    ):
        raise BrokenRecord("a field of a message record has the wrong form")
    return MessageSubmitted(
        message_id=rest[0],
        sender_id=rest[1],
        sender_device=rest[2],
        client_id=rest[3],
        digest=rest[4],
        receiver_id=rest[5],
        group_id=rest[6],
        content=rest[7],
        envelope=rest[8],
        media=rest[9],
        reply_to=rest[10],
        timestamp_ms=rest[11],
        sent_at_ms=rest[12],
    )


def _check_ids(record: _Notice) -> None:
    match record:
        case MessageRetried():
            fine = ids.is_message_id(record.message_id) and ids.is_user_id(record.sender_id)
        case DeliveryConfirmed():
            fine = ids.is_user_id(record.user_id) and all(map(ids.is_message_id, record.message_ids))
        case ConversationRead():
            fine = ids.is_user_id(record.user_id) and ids.is_message_id(record.message_id)
        case GroupChangeSubmitted():
            named = ids.is_event_id(record.event_id) and ids.is_group_id(record.group_id)
            fine = named and all(map(ids.is_user_id, record.user_ids))
    if not fine:
        raise BrokenRecord("an id in the record has the wrong form")
