"""How messages and receipts look to each device: frames from what the store holds."""

from apps.groups.polled_messages import PolledMessage
from apps.inbox.inbox import Change, Waiting
from apps.messagestore.base import Body, NewMessage, Pointer, Standing
from apps.messagestore.groups import GroupEvent
from apps.protocol import ids, server_frames

EVENT_PREFIX = "g:"
"""How the coalescing key of a group's event begins in an inbox."""

_REFUSALS = {
    "unknown_receiver": "There is no such user.",
    "forbidden": "This user does not take messages from you.",
    "failed": "The message could not be processed.",
    "conflict": "message_id_by_client was used before with other content.",
    "not_a_member": "You are not a member of this group.",
}
_REFUSALS_IN_GROUPS = {"forbidden": "You may not write in this group now."}


def build_incoming(message: NewMessage | Body, *, for_sender: bool) -> str:
    """The message for a device: of its receiver, or another one of its sender."""
    return server_frames.incoming_message(
        message_id=message.message_id,
        sender_id=message.sender_id,
        receiver_id=message.receiver_id if for_sender and not message.group_id else None,
        group_id=message.group_id or None,
        content=message.content,
        envelope=message.envelope,
        media=message.media,
        reply_to=message.reply_to,
        timestamp_ms=message.timestamp_ms,
        sequence=message.sequence,
    )


def build_polled(message: NewMessage | Body) -> PolledMessage:
    """The message of a group that is polled, as REST gives it."""
    fields = build_incoming(message, for_sender=False).removeprefix(f"{server_frames.INCOMING_PREFIX},")
    return PolledMessage(
        group_id=message.group_id,
        sequence=message.sequence,
        timestamp_ms=message.timestamp_ms,
        text=f'{{{fields[:-1]},"receiver_id":null}}',
    )


def build_outcome(standing: Standing, device_id: str, *, counts: bool = True) -> list[Waiting]:
    """What a device of the sender must learn of a message: what stands if it may have heard otherwise, and ✓✓ or why
    not. Without ``counts`` not how many of a group have it: only who counts them may say so, for they grow meanwhile.
    """
    own = device_id == standing.sender_device
    client_id = standing.message_id_by_client if own else None
    receipts: list[Waiting] = []
    if standing.repeated and own:
        receipts.append(build_standing_receipt(standing))
    if standing.refusal:
        code = standing.refusal
        text = _REFUSALS_IN_GROUPS.get(code) if standing.group_id else None
        receipts.append(build_late_error(standing.message_id, code, client_id, text))
    elif standing.settled_at_ms is not None and (counts or not standing.group_id):
        frame = server_frames.message_delivered(
            message_id=standing.message_id,
            timestamp_ms=standing.settled_at_ms,
            client_id=client_id,
            counts=(standing.delivered_count, standing.members) if standing.group_id else None,
        )
        receipts.append(Waiting(kind="receipt", member=f"d:{standing.message_id}", frame=frame))
    return receipts


def build_standing_receipt(standing: Standing) -> Waiting:
    """``message_received`` with the id and sequence that stand, for the sending device."""
    frame = server_frames.message_received(
        message_id=standing.message_id,
        client_id=standing.message_id_by_client,
        timestamp_ms=standing.timestamp_ms,
        sequence=standing.sequence,
    )
    return Waiting(kind="receipt", member=f"a:{standing.message_id}", frame=frame)


def build_late_error(
    message_id: str, code: str, client_id: ids.ClientMessageId | None, text: str | None = None
) -> Waiting:
    """The error that withdraws a message after its ✓; ``text`` says why where the code's own words do not."""
    why = text or _REFUSALS.get(code, "The message was withdrawn.")
    frame = server_frames.late_error(code=code, message=why, message_id=message_id, client_id=client_id)
    return Waiting(kind="receipt", member=f"e:{message_id}", frame=frame)


def build_read_receipt(pointer: Pointer) -> Waiting:
    """How far somebody has read a conversation; a later one takes its place."""
    frame = server_frames.message_read(
        message_id=pointer.message_id,
        reader_id=pointer.reader_id,
        timestamp_ms=pointer.read_at_ms,
        group_id=pointer.conversation_id if ids.is_group_id(pointer.conversation_id) else None,
    )
    return Waiting(kind="receipt", member=f"r:{pointer.conversation_id}:{pointer.reader_id}", frame=frame)


def build_group_event(event: GroupEvent) -> Waiting:
    """An event of a group, for whoever was a member then."""
    facts = event.facts
    frame = server_frames.group_event(
        group_id=event.group_id,
        event_id=event.event_id,
        kind=facts["kind"],
        by=facts["by"],
        user_ids=facts["user_ids"],
        details=facts["details"],
        version=facts["version"],
        sequence=event.sequence,
        timestamp_ms=event.timestamp_ms,
    )
    return Waiting(kind="receipt", member=f"{EVENT_PREFIX}{event.event_id}", frame=frame)


def build_group_changed(group_id: str, version: int) -> Waiting:
    """That a group has another version; a later one takes its place."""
    frame = server_frames.group_changed(group_id=group_id, version=version)
    return Waiting(kind="receipt", member=f"v:{group_id}", frame=frame)


def to_change(user_id: str, device_id: str, receipt: Waiting) -> Change:
    """The receipt as a change to one device's inbox."""
    return Change(kind="receipt", user_id=user_id, device_id=device_id, member=receipt.member, frame=receipt.frame)
