"""A group of the people of ``World``: Ada owns it, Bob and Cyd are members, Dee is a stranger."""

import json
from collections.abc import Sequence
from typing import Any

from apps.delivery.deliver import deliver_changes
from apps.delivery.drain import DrainRequest, drain
from apps.delivery.fan_out import fan_out
from apps.delivery.group_counts import count_group
from apps.delivery.rebuild import rebuild_inbox
from apps.messagelog.base import LogRecord, sequence_of
from apps.messagestore.base import Standing
from apps.messagestore.groups import GroupPointer, GroupProgress
from apps.protocol.ids import new_event_id
from apps.protocol.records import (
    ConversationRead,
    DeliveryConfirmed,
    GroupChangeSubmitted,
    MessageSubmitted,
    Record,
    encode_record,
)
from apps.relay.group_records import GroupHints
from apps.relay.pipeline import Stored

GROUP = "grp-0123456789ab"


class Circle:
    """Relays records one after the other, as from one partition of the log, and keeps them for a replay."""

    def __init__(self, world: Any, group_id: str = GROUP) -> None:
        self.world = world
        self.bus = world.bus
        self.store = world.store
        self.group_id = group_id
        self.log: list[LogRecord] = []
        self.hints = GroupHints()
        self.ada, self.ada1, self.ada2 = world.ada, world.ada1, world.ada2
        self.bob, self.bob1, self.bob2 = world.bob, world.bob1, world.bob2
        self.cyd, self.cyd1 = self.newcomer("cyd")
        self.dee, self.dee1 = self.newcomer("dee")
        self.relay(self.change("created", self.ada, self.bob, self.cyd, name="Circle"))
        self.fan_out()
        self.bus.pushes.clear()
        self.hints = GroupHints()

    def newcomer(self, name: str) -> tuple[str, str]:
        """Somebody with one device, connected."""
        from apps.accounts.services import register_user

        user_id = register_user(name, "correct horse battery").pk
        return user_id, self.log_in(user_id)

    def log_in(self, user_id: str) -> str:
        """A device of this user, connected."""
        from apps.accounts.services import log_in_device

        device_id: str = log_in_device(self.world.user(user_id), "phone")[0].pk
        self.world.connect(user_id, device_id)
        return device_id

    # -- records ---------------------------------------------------------------------------------------------------

    def change(self, kind: str, by: str, *user_ids: str, group_id: str = "", **details: Any) -> GroupChangeSubmitted:
        """A change of the group."""
        return GroupChangeSubmitted(
            event_id=new_event_id(),
            group_id=group_id or self.group_id,
            kind=kind,
            by=by,
            user_ids=user_ids,
            details=details,
            timestamp_ms=1_764_000_000_000,
        )

    def message(self, number: int, **changes: Any) -> MessageSubmitted:
        """A message to the group, from Ada's first device."""
        message: MessageSubmitted = self.world.message(
            number, **({"receiver_id": None, "group_id": self.group_id} | changes)
        )
        return message

    def by_bob(self, number: int, **changes: Any) -> MessageSubmitted:
        """One from Bob's first device."""
        return self.message(number, sender_id=self.bob, sender_device=self.bob1, **changes)

    def confirmation(self, user_id: str, device_id: str, *numbers: int) -> DeliveryConfirmed:
        """A device has stored these messages."""
        message_ids = tuple(message_id(number) for number in numbers)
        return DeliveryConfirmed(user_id=user_id, device_id=device_id, message_ids=message_ids, timestamp_ms=7)

    def read(self, user_id: str, device_id: str, number: int, told: str = "") -> ConversationRead:
        """Somebody has read so far."""
        return ConversationRead(
            user_id=user_id,
            device_id=device_id,
            told=told or self.group_id,
            message_id=message_id(number),
            timestamp_ms=5,
        )

    # -- effects ---------------------------------------------------------------------------------------------------

    def relay(self, *records: Record) -> Stored:
        """Let records take effect as one batch, after all that were relayed before."""
        return self.settle(self.append(*records))

    def append(self, *records: Record) -> list[LogRecord]:
        """Put records on the log."""
        new = [
            LogRecord(
                partition=0,
                position=position,
                sequence=sequence_of(1, position),
                payload=encode_record(record).decode(),
            )
            for position, record in enumerate(records, len(self.log) + 1)
        ]
        self.log += new
        return new

    def settle(self, records: Sequence[LogRecord]) -> Stored:
        """Let records of the log take effect, again perhaps; what is left to do is added to ``hints``."""
        stored: Stored = self.world.pipeline.store_batch(records)
        deliver_changes(stored.changes, self.bus)
        self.hints.update(stored.hints)
        return stored

    def confirm(self, user_id: str, device_id: str, *numbers: int) -> Stored:
        """Relay a confirmation."""
        return self.relay(self.confirmation(user_id, device_id, *numbers))

    def fan_out(self) -> int:
        """What the task does."""
        return fan_out(self.group_id, self.bus)

    def count(self) -> int:
        """What the task does."""
        return count_group(self.group_id, self.bus)

    def send(self, *numbers: int) -> None:
        """Messages from Ada, fanned out; nobody has been told of anything."""
        self.relay(*[self.message(number) for number in numbers])
        self.fan_out()
        self.bus.pushes.clear()

    def rebuild(self, user_id: str, device_id: str) -> None:
        """Make a device's inbox anew from the Message DB."""
        rebuild_inbox(user_id, device_id, force=True)

    # -- what stands -----------------------------------------------------------------------------------------------

    def contents(self, device_id: str) -> list[str]:
        """The words of all messages that were pushed to a device; other frames are forgotten."""
        return [one["content"] for one in self.bus.frames(device_id) if one["action"] == "incoming_message"]

    def events(self, device_id: str) -> list[str]:
        """The kinds of all events that were pushed to a device; other frames are forgotten."""
        return [one["kind"] for one in self.bus.frames(device_id) if one["action"] == "group_event"]

    def drain(self, user_id: str, device_id: str) -> list[dict[str, Any]]:
        """What a device gets that connects now: page after page."""
        frames: list[dict[str, Any]] = []
        epoch, after = "", 0
        while True:
            self.bus.pages.clear()
            request = DrainRequest(
                server_id="gw-1",
                user_id=user_id,
                device_id=device_id,
                connection_id=5,
                generation=1,
                epoch=epoch,
                after=after,
            )
            drain([request], self.bus)
            (page,) = self.bus.pages
            frames += [json.loads(frame) for frame in page.frames]
            epoch, after = page.epoch, page.upto
            if page.last:
                return frames

    def drained(self, user_id: str, device_id: str) -> list[str]:
        """The same in short: words of messages, kinds of events."""
        frames = self.drain(user_id, device_id)
        return [one.get("content") or one["kind"] for one in frames if "content" in one or "kind" in one]

    def counts(self, device_id: str) -> dict[str, tuple[int, int]]:
        """The last ✓✓ that a device was told of each message."""
        return {
            one["message_id"]: (one["delivered"], one["members"])
            for one in self.bus.frames(device_id)
            if one["action"] == "message_delivered"
        }

    def waiting(self, user_id: str, device_id: str) -> int:
        """Messages in a device's inbox."""
        messages: int = self.world.waiting(user_id, device_id)[0]
        return messages

    def standing(self, number: int) -> Standing:
        """A message's row."""
        standing: Standing = self.store.list_standings([message_id(number)])[message_id(number)]
        return standing

    def progress(self) -> GroupProgress:
        """How far the group is."""
        progress: GroupProgress = self.store.groups.list_progress([self.group_id])[self.group_id]
        return progress

    def pointer(self, user_id: str, device_id: str = "") -> GroupPointer | None:
        """What a device has confirmed, or its user."""
        pointers: list[GroupPointer] = self.store.groups.list_pointers([self.group_id], [user_id])
        return {one.device_id: one for one in pointers}.get(device_id)

    def has(self, user_id: str, device_id: str, *numbers: int) -> list[bool]:
        """Whether a device has confirmed each of these messages; without a device: the user."""
        pointer = self.pointer(user_id, device_id)
        return [pointer is not None and pointer.covers(self.standing(number).sequence) for number in numbers]


def message_id(number: int) -> str:
    """The id of the message with this number."""
    return f"msg-{number:016x}"
