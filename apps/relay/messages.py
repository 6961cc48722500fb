"""New messages: insert if absent, then an entry for each device that must confirm."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from apps.delivery.frames import build_incoming, build_outcome, build_standing_receipt, to_change
from apps.inbox.inbox import Change
from apps.messagestore.base import MessageStore, NewMessage, Standing
from apps.observability.stages import note_stage
from apps.protocol import ids
from apps.protocol.errors import ErrorCode
from apps.protocol.records import MessageSubmitted
from apps.relay.people import People


class Arrival(Protocol):
    """A record of a message with its place in the log, and what it would be as a row of the Message DB."""

    @property
    def record(self) -> MessageSubmitted:
        """The record."""

    @property
    def refusal(self) -> str:
        """The error code with which it is withdrawn, or empty."""

    def to_row(self, refusal: str) -> NewMessage:
        """The row: with a refusal it has no content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectArrival:
    """A message from one person to another."""

    sequence: int
    record: MessageSubmitted
    people: People
    withdrawn: str = ""

    @property
    def refusal(self) -> str:
        """See Arrival."""
        return self.withdrawn or self.people.refusal(self.record.sender_id, self.record.receiver_id or "")

    def to_row(self, refusal: str) -> NewMessage:
        """See Arrival."""
        record, people = self.record, self.people
        receiver_id = record.receiver_id or ""
        keeps = () if refusal else (record.sender_id, receiver_id)
        return NewMessage(
            **fields_of(record, self.sequence, refusal),
            receiver_id=receiver_id,
            conversation_id=ids.conversation_id(record.sender_id, receiver_id),
            pending_devices=() if refusal else people.devices(receiver_id),
            own_devices=() if refusal else _other_devices(record.sender_id, record.sender_device, people),
            history_for=tuple(user_id for user_id in keeps if people.keeps_history(user_id)),
        )


def fields_of(record: MessageSubmitted, sequence: int, refusal: str) -> dict[str, Any]:
    """What a row takes from its record, whomever it is for."""
    return {
        "message_id": record.message_id,
        "sender_id": record.sender_id,
        "sender_device": record.sender_device,
        "client_id": record.client_id,
        "digest": record.digest,
        "sequence": sequence,
        "content": None if refusal else record.content,
        "envelope": None if refusal else record.envelope,
        "media": None if refusal else record.media,
        "reply_to": None if refusal else record.reply_to,
        "timestamp_ms": record.timestamp_ms,
        "sent_at_ms": record.sent_at_ms,
        "refusal": refusal,
    }


def settle_messages(
    store: MessageStore, arrivals: Sequence[Arrival], people: People, now_ms: int
) -> tuple[list[Change], list[Standing]]:
    """Store what arrived. Returns the inbox changes that follow, and how those stand that had come before.

    The first position of an id is its sequence: whoever sent a second one is told again what stands.
    """
    messages = [arrival.to_row(arrival.refusal) for arrival in arrivals]
    standings = store.insert_absent(messages, now_ms)
    _note_new(messages, standings)
    changes: list[Change] = []
    repeated: list[Standing] = []
    conflicting: list[NewMessage] = []
    for arrival, message in zip(arrivals, messages, strict=True):
        standing = standings.get(message.message_id)
        if standing is None or (standing.message_id, standing.sequence) == (message.message_id, message.sequence):
            # One that was stored before there was a reason to refuse it stands, and with all its words.
            stands = standing is not None and message.refusal and not standing.refusal
            changes += _announce(arrival.to_row("") if stands else message, standing, people, now_ms)
        elif standing.digest == message.digest:
            repeated.append(standing)
            changes += _tell_standing(message, standing)
        else:
            conflicting.append(_withdraw_conflicting(message))
    if repeated:
        store.mark_repeated([standing.message_id for standing in repeated])
    if conflicting:
        kept = store.insert_absent(conflicting, now_ms)
        for message in conflicting:
            changes += _announce(message, kept.get(message.message_id), people, now_ms)
    return changes, repeated


def _note_new(messages: Sequence[NewMessage], known: Container[str]) -> None:
    new = [message for message in messages if message.message_id not in known]
    refused = sum(1 for message in new if message.refusal)
    note_stage("stored", len(new) - refused, (message.message_id for message in new if not message.refusal))
    note_stage("withdrawn", refused, (message.message_id for message in new if message.refusal))


def _other_devices(sender_id: str, sender_device: str, people: People) -> tuple[str, ...]:
    return tuple(device_id for device_id in people.devices(sender_id) if device_id != sender_device)


def _announce(message: NewMessage, standing: Standing | None, people: People, now_ms: int) -> list[Change]:
    """Entries for the devices still to confirm; or, of a message refused here, the late error for the sender's
    devices.
    """
    if message.refusal if standing is None else standing.refusal:
        refused = standing or _refused_now(message, now_ms)
        return [
            to_change(message.sender_id, device_id, receipt)
            for device_id in people.devices(message.sender_id)
            for receipt in build_outcome(refused, device_id)
        ]
    waiting = message if standing is None else standing
    return [
        *_put(message, message.receiver_id, waiting.pending_devices, for_sender=False),
        *_put(message, message.sender_id, waiting.own_devices, for_sender=True),
    ]


def _put(message: NewMessage, user_id: str, device_ids: Sequence[str], *, for_sender: bool) -> list[Change]:
    if not device_ids:
        return []
    frame = build_incoming(message, for_sender=for_sender)
    return [
        Change(kind="put", user_id=user_id, device_id=device_id, member=message.message_id, frame=frame)
        for device_id in device_ids
    ]


def _refused_now(message: NewMessage, now_ms: int) -> Standing:
    return Standing(
        message_id=message.message_id,
        sender_id=message.sender_id,
        sender_device=message.sender_device,
        client_id=message.client_id,
        digest=message.digest,
        receiver_id=message.receiver_id,
        conversation_id=message.conversation_id,
        sequence=message.sequence,
        timestamp_ms=message.timestamp_ms,
        undelivered=False,
        pending_devices=(),
        own_devices=(),
        repeated=False,
        settled_at_ms=now_ms,
        refusal=message.refusal,
        group_id=message.group_id,
        members=message.members,
    )


def _tell_standing(message: NewMessage, standing: Standing) -> list[Change]:
    receipts = [build_standing_receipt(standing), *build_outcome(standing, standing.sender_device, counts=False)]
    return [to_change(message.sender_id, message.sender_device, receipt) for receipt in receipts]


def _withdraw_conflicting(message: NewMessage) -> NewMessage:
    """A message whose client id stands for other words, as it is kept: its sender has ✓ for it, so the error that takes
    it back must outlive the cache.
    """
    return replace(
        message,
        client_id=ids.conflicting_key(message.client_id, message.message_id),
        content=None,
        envelope=None,
        media=None,
        reply_to=None,
        pending_devices=(),
        own_devices=(),
        history_for=(),
        refusal=ErrorCode.CONFLICT.value,
    )
