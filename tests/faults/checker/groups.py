"""What members of a group were promised, judged by their own histories and by who was a member when."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from apps.protocol.ids import client_id_key
from tests.client.history import GroupEvent, History, SentMessage
from tests.faults.checker.events import list_late_codes
from tests.faults.checker.report import Finding

JOINING, LEAVING = ("created", "joined"), ("left", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A user's time in the group, by sequences; `end` is None where it goes on."""

    start: int
    end: int | None

    def covers(self, sequence: int) -> bool:
        """Whether a message of this sequence is for the user."""
        return self.start < sequence and (self.end is None or sequence < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that somebody must get; its ``sequence`` is the one that stands."""

    sender: History
    message: SentMessage
    sequence: int


def list_stays(group_id: str, events: Iterable[GroupEvent]) -> dict[str, list[Stay]]:
    """Everybody's times in a group, as its events tell them to one who was there from beginning to end."""
    stays: dict[str, list[Stay]] = defaultdict(list)
    for event in sorted((one for one in events if one.group_id == group_id), key=lambda one: one.sequence):
        for user_id in event.user_ids:
            mine = stays[user_id]
            if event.kind in JOINING:
                mine.append(Stay(start=event.sequence, end=None))
            elif event.kind in LEAVING and mine and mine[-1].end is None:
                mine[-1] = Stay(start=mine[-1].start, end=event.sequence)
    return stays


def find_in_groups(histories: Sequence[History], rows: Sequence[Mapping[str, Any]] = ()) -> Iterator[Finding]:
    """The same of every group of which all is known: somebody heard that it was created."""
    events = {event.event_id: event for history in histories for event in history.group_events.values()}
    for group_id in sorted({event.group_id for event in events.values() if event.kind == "created"}):
        yield from find_in_group(group_id, histories, list_stays(group_id, events.values()), rows)


def find_in_group(
    group_id: str,
    histories: Sequence[History],
    stays: Mapping[str, Sequence[Stay]],
    rows: Sequence[Mapping[str, Any]] = (),
) -> Iterator[Finding]:
    """Everything that a member got too much, too little, twice or out of order. Contents are unique within a run.

    ``rows``, of the Message DB where that is known, tell what became of what was sent by who logged out.
    """
    sent = {one.message.content: one for one in _list_sent(group_id, histories, rows)}
    by_user: dict[str, list[History]] = defaultdict(list)
    for history in histories:
        by_user[history.user_id].append(history)
        yield from _find_at_device(group_id, history, stays.get(history.user_id, []), sent)
    contents = {one.device_id: {shown.content for shown in one.shown.values()} for one in histories}
    for one in sent.values():
        yield from _find_lost(one, by_user, contents, stays)
        if not one.sender.is_logged_out:
            yield from _find_in_counts(one.sender, one.message, stays)
    yield from _find_events_at_wrong_places(group_id, histories)


def _list_sent(group_id: str, histories: Sequence[History], rows: Sequence[Mapping[str, Any]]) -> Iterator[Sent]:
    """What got ✓ and was not withdrawn. A late error comes to all of the sender's devices, and the sending one may have
    logged out by then; nor does it hear any more which id and sequence stand.
    """
    late_codes = list_late_codes(histories)
    refused = {name for row in rows if row["refusal"] for name in _name_row(row)}
    sequences = {one.content: one.sequence for history in histories for one in history.shown.values()}
    for sender in histories:
        for message in sender.sent.values():
            if message.receiver_id != group_id or message.sequence is None or message.is_refused:
                continue
            if (sender.user_id, message.message_id) in late_codes:
                continue
            if not sender.is_logged_out:
                yield Sent(sender=sender, message=message, sequence=message.sequence)
            elif refused.isdisjoint({message.message_id, (sender.device_id, client_id_key(message.client_id))}):
                sequence = sequences.get(message.content, message.sequence)
                yield Sent(sender=sender, message=message, sequence=sequence)


def _name_row(row: Mapping[str, Any]) -> Iterator[str | tuple[str, str]]:
    """The names of a message: its id, and the sender's own where that is known."""
    yield row["message_id"]
    if "client_id" in row:
        yield row["sender_device"], row["client_id"]


def _find_at_device(
    group_id: str, history: History, stays: Sequence[Stay], sent: Mapping[str, Sent]
) -> Iterator[Finding]:
    shown = [one for one in history.shown.values() if one.group_id == group_id]
    for one in shown:
        known = sent.get(one.content)
        if not any(stay.covers(one.sequence) for stay in stays) or (known is not None and known.sender is history):
            detail = f"{one.content!r} ({one.sequence}) came to {history.device_id}, whose stays are {list(stays)}"
            yield Finding(kind="no right", detail=detail)
        if known is not None and known.sequence != one.sequence:
            detail = f"{one.content!r} is {one.sequence} at {history.device_id}, {known.sequence} at its sender"
            yield Finding(kind="two orders", detail=detail)
    for one, later in pairwise(shown):
        if later.sequence <= one.sequence:
            detail = f"{history.device_id}: {later.content!r} ({later.sequence}) came after ({one.sequence})"
            yield Finding(kind="disordered", detail=detail)
    for content, count in Counter(one.content for one in shown).items():
        if count > 1:
            yield Finding(kind="doubled", detail=f"{content!r} came {count} times to {history.device_id}")


def _find_lost(
    sent: Sent,
    by_user: Mapping[str, Sequence[History]],
    contents: Mapping[str, Set[str]],
    stays: Mapping[str, Sequence[Stay]],
) -> Iterator[Finding]:
    """Each device that was there has it; where none of a member's was, the next one does."""
    sender, message = sent.sender, sent.message
    described = f"{message.content!r} ({sent.sequence})"
    for user_id, mine in stays.items():
        if not any(stay.covers(sent.sequence) for stay in mine):
            continue
        devices = [one for one in by_user.get(user_id, ()) if one is not sender and not one.is_logged_out]
        having = [one for one in by_user.get(user_id, ()) if message.content in contents[one.device_id]]
        for device in devices:
            if device.logged_in_at <= message.submitted_at and device not in having:
                yield Finding(kind="lost", detail=f"{described} never came to {device.device_id}: {list(mine)}")
        if devices and not having and user_id != sender.user_id:
            yield Finding(kind="lost", detail=f"{described} came to no device of {user_id}")


def _find_events_at_wrong_places(group_id: str, histories: Sequence[History]) -> Iterator[Finding]:
    """What came before an event that begins or ends somebody's stay stands before it."""
    for history in histories:
        shown = list(history.shown.values())
        for event in history.group_events.values():
            mine = history.user_id in event.user_ids and event.group_id == group_id
            after = (one for one in shown[event.shown_before :] if one.group_id == group_id)
            late = [one for one in after if one.sequence < event.sequence]
            if mine and event.kind in LEAVING and late:
                detail = f"{history.device_id}: {late[0].content!r} ({late[0].sequence}) came after {event}"
                yield Finding(kind="disordered", detail=detail)


def _find_in_counts(sender: History, message: SentMessage, stays: Mapping[str, Sequence[Stay]]) -> Iterator[Finding]:
    """What the sender was told last is that everybody has it, for everybody does by now."""
    receivers = sum(
        user_id != sender.user_id and any(stay.covers(message.sequence or 0) for stay in mine)
        for user_id, mine in stays.items()
    )
    told = message.delivered_counts[-1] if message.delivered_counts else (0, 0)
    if told != (receivers, receivers):
        detail = f"{message.content!r}: told {message.delivered_counts[-3:]}, of {receivers}"
        yield Finding(kind="no ✓✓", detail=detail)
    # What a long poll has not acknowledged comes again, in its order: only a count that is new must not be lower.
    counts = list(dict.fromkeys(delivered for delivered, _ in message.delivered_counts))
    if counts != sorted(counts):
        yield Finding(kind="count fell", detail=f"{message.content!r}: told {counts}")
