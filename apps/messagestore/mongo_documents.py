"""Between the MongoDB adapter's documents and the store's types.

A message, as it lies in ``messages`` (times are BSON dates; what is marked with ? is absent until it happens)::

    _id, sender_id, sender_device, client_id, digest, receiver_id | null, group_id | null, conversation_id, sequence,
    content?, envelope?, media? (both JSON text), reply_to?, timestamp, sent_at, stored_at,
    undelivered, pending_devices [], own_devices [], waiting, confirmations [{device_id, at}], history_for [],
    repeated, refusal, settled_at?, stripped_at?, expires_at
    and of a group's only: polled, members, delivered_count

A read pointer, in ``read_pointers``::

    _id "conversation_id reader_id", conversation_id, reader_id, peer_id, message_id, sequence, read_at

How far a device is in a group, in ``group_pointers`` (``device_id`` is empty where it is what any of the user's has)::

    _id "group_id user_id device_id", group_id, user_id, device_id, upto, beyond []

How far a group is fanned out, in ``group_progress`` (``behind``: fanned_upto is below stored_upto)::

    _id group_id, stored_upto, fanned_upto, behind
"""

from collections.abc import Mapping
from typing import Any

import orjson
from bson.datetime_ms import DatetimeMS

from apps.messagestore.base import TRACE_KEPT_MS, Body, NewMessage, Pointer, Standing, Trace
from apps.messagestore.groups import GroupEvent, GroupPointer, GroupProgress, GroupRow
from apps.messagestore.mongo_connection import Document

LATEST_EXPIRY_MS = 2_145_830_400_000
"""2037-12-31: the TTL monitor counts in 32 bits of seconds."""

CONTENT_FIELDS = ("content", "envelope", "media", "reply_to")
WITHOUT_CONTENT = dict.fromkeys(CONTENT_FIELDS, 0)
"""A projection: standings and traces never need what people wrote."""

OF_EVENT = dict.fromkeys(("group_id", "sequence", "timestamp", "envelope"), 1)
"""A projection."""


def to_document(message: NewMessage, now_ms: int) -> Document:
    """A message as it is inserted at ``now_ms``."""
    refused = bool(message.refusal)
    tracked = message.tracked and not refused
    document: Document = {
        "_id": message.message_id,
        "sender_id": message.sender_id,
        "sender_device": message.sender_device,
        "client_id": message.client_id,
        "digest": message.digest,
        "receiver_id": message.receiver_id or None,
        "group_id": message.group_id or None,
        "conversation_id": message.conversation_id,
        "sequence": message.sequence,
        **_content_of(message),
        "timestamp": DatetimeMS(message.timestamp_ms),
        "sent_at": DatetimeMS(message.sent_at_ms),
        "stored_at": DatetimeMS(now_ms),
        "undelivered": tracked,
        "pending_devices": list(message.pending_devices),
        "own_devices": list(message.own_devices),
        "waiting": tracked,
        "confirmations": [],
        "history_for": list(message.history_for),
        "repeated": False,
        "refusal": message.refusal,
        "expires_at": to_expiry(now_ms + (TRACE_KEPT_MS if refused else message.kept_ms)),
    }
    if message.group_id:
        document |= {"polled": message.polled, "members": message.members, "delivered_count": 0}
    if refused:
        document |= {"settled_at": DatetimeMS(now_ms), "stripped_at": DatetimeMS(now_ms)}
    return document


def to_expiry(at_ms: int) -> DatetimeMS:
    """A time at which the TTL index lets a document go."""
    return DatetimeMS(min(at_ms, LATEST_EXPIRY_MS))


def to_standing(document: Mapping[str, Any]) -> Standing:
    """How the message of a document stands."""
    return Standing(
        message_id=document["_id"],
        sender_id=document["sender_id"],
        sender_device=document["sender_device"],
        client_id=document["client_id"],
        digest=document["digest"],
        receiver_id=document["receiver_id"] or "",
        conversation_id=document["conversation_id"],
        sequence=document["sequence"],
        timestamp_ms=int(document["timestamp"]),
        undelivered=document["undelivered"],
        pending_devices=tuple(document["pending_devices"]),
        own_devices=tuple(document["own_devices"]),
        repeated=document["repeated"],
        settled_at_ms=_to_ms(document.get("settled_at")),
        refusal=document["refusal"],
        group_id=document["group_id"] or "",
        members=document.get("members", 0),
        delivered_count=document.get("delivered_count", 0),
    )


def is_left_unfinished(document: Mapping[str, Any]) -> bool:
    """Whether nobody waits for the message any more, and the statement that strips it, or stops waiting, never ran.

    Of a group's the row does not tell who waits for it: whoever counts its pointers finishes it.
    """
    return (
        document["waiting"]
        and document["receiver_id"] is not None
        and not (document["undelivered"] or document["pending_devices"] or document["own_devices"])
    )


def to_body(document: Mapping[str, Any]) -> Body:
    """The message of a document that still has its content."""
    return Body(
        message_id=document["_id"],
        sender_id=document["sender_id"],
        receiver_id=document["receiver_id"] or "",
        group_id=document["group_id"] or "",
        content=document.get("content"),
        envelope=_from_json(document.get("envelope")),
        media=_from_json(document.get("media")),
        reply_to=document.get("reply_to"),
        timestamp_ms=int(document["timestamp"]),
        sequence=document["sequence"],
        conversation_id=document["conversation_id"],
        waited_for=(*document["pending_devices"], *document["own_devices"]),
        delivered=not document["undelivered"],
    )


def to_trace(document: Mapping[str, Any]) -> Trace:
    """The way of the message of a document."""
    return Trace(
        standing=to_standing(document),
        sent_at_ms=int(document["sent_at"]),
        stored_at_ms=int(document["stored_at"]),
        confirmations=tuple((one["device_id"], int(one["at"])) for one in document["confirmations"]),
        history_for=tuple(document["history_for"]),
        stripped_at_ms=_to_ms(document.get("stripped_at")),
        expires_at_ms=int(document["expires_at"]),
    )


def to_pointer(document: Mapping[str, Any]) -> Pointer:
    """The pointer of a document of ``read_pointers``."""
    return Pointer(
        conversation_id=document["conversation_id"],
        reader_id=document["reader_id"],
        peer_id=document["peer_id"],
        message_id=document["message_id"],
        sequence=document["sequence"],
        read_at_ms=int(document["read_at"]),
    )


def pointer_key(conversation_id: str, reader_id: str) -> str:
    """``_id`` of a read pointer: it makes the pair unique, over shards too."""
    return f"{conversation_id} {reader_id}"


def to_group_row(document: Mapping[str, Any]) -> GroupRow:
    """The row of a group's message or event, without its words."""
    return GroupRow(
        message_id=document["_id"],
        group_id=document["group_id"],
        sequence=document["sequence"],
        sender_id=document["sender_id"],
        sender_device=document["sender_device"],
        timestamp_ms=int(document["timestamp"]),
        undelivered=document["undelivered"],
        delivered_count=document["delivered_count"],
    )


def to_group_event(document: Mapping[str, Any]) -> GroupEvent:
    """The event of a document with the fields of OF_EVENT."""
    return GroupEvent(
        event_id=document["_id"],
        group_id=document["group_id"],
        sequence=document["sequence"],
        timestamp_ms=int(document["timestamp"]),
        facts=_from_json(document.get("envelope")) or {},
    )


def to_group_pointer(document: Mapping[str, Any]) -> GroupPointer:
    """The pointer of a document of ``group_pointers``."""
    return GroupPointer(
        group_id=document["group_id"],
        user_id=document["user_id"],
        device_id=document["device_id"],
        upto=document["upto"],
        beyond=tuple(document["beyond"]),
    )


def to_group_progress(document: Mapping[str, Any]) -> GroupProgress:
    """The progress of a document of ``group_progress``."""
    return GroupProgress(
        group_id=document["_id"], stored_upto=document["stored_upto"], fanned_upto=document["fanned_upto"]
    )


def group_pointer_key(pointer: GroupPointer) -> str:
    """``_id`` of a group's pointer: it makes group, user and device unique, over shards too."""
    return " ".join(pointer.key)


def _content_of(message: NewMessage) -> Document:
    # JSON text: people's own keys and numbers never meet BSON's rules, and nothing here looks inside.
    fields = {
        "content": message.content,
        "envelope": _to_json(message.envelope),
        "media": _to_json(message.media),
        "reply_to": message.reply_to,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _to_ms(value: DatetimeMS | None) -> int | None:
    return None if value is None else int(value)


def _to_json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _from_json(value: str | None) -> dict[str, Any] | None:
    return None if value is None else orjson.loads(value)
