"""What members of a group were promised, judged by their own histories and by one who was there from beginning to end."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.client.history import GroupEvent, History, SentMessage
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


def list_stays(events: Sequence[GroupEvent]) -> dict[str, list[Stay]]:
    """Everybody's times in the group, as its events tell them."""
    stays: dict[str, list[Stay]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.sequence):
        for user_id in event.user_ids:
            mine = stays[user_id]
            if event.kind in JOINING:
                mine.append(Stay(start=event.sequence, end=None))
            elif event.kind in LEAVING and mine and mine[-1].end is None:
                mine[-1] = Stay(start=mine[-1].start, end=event.sequence)
    return stays


def find_in_group(group_id: str, histories: Sequence[History], observer: History) -> Iterator[Finding]:
    """Everything that a member got too much, too little, twice or out of order. Contents are unique within a run."""
    stays = list_stays([event for event in observer.group_events.values() if event.group_id == group_id])
    sent = {
        message.content: (sender, message)
        for sender in histories
        for message in sender.sent.values()
        if message.receiver_id == group_id and message.is_acknowledged and not message.is_refused
    }
    for history in histories:
        yield from _find_at_device(group_id, history, stays.get(history.user_id, []), sent)
    for sender, message in sent.values():
        yield from _find_in_counts(sender, message, stays)


def _find_at_device(
    group_id: str, history: History, stays: Sequence[Stay], sent: Mapping[str, tuple[History, SentMessage]]
) -> Iterator[Finding]:
    shown = [one for one in history.shown.values() if one.group_id == group_id]
    contents = [one.content for one in shown]
    wanted = {
        content
        for content, (sender, message) in sent.items()
        if sender is not history and any(stay.covers(message.sequence or 0) for stay in stays)
    }
    for content in sorted(wanted.difference(contents)):
        sequence = sent[content][1].sequence
        yield Finding(
            kind="lost", detail=f"{content!r} ({sequence}) never came to {history.device_id}, a member: {stays}"
        )
    for content in sorted(set(contents) - wanted):
        yield Finding(kind="no right", detail=f"{content!r} came to {history.device_id}, whose stays are {stays}")
    for one, later in zip(shown, shown[1:], strict=False):
        if later.sequence <= one.sequence:
            detail = f"{history.device_id}: {later.content!r} ({later.sequence}) came after ({one.sequence})"
            yield Finding(kind="disordered", detail=detail)
    if len(contents) != len(set(contents)):
        yield Finding(kind="doubled", detail=f"{history.device_id} shows something twice")
    for one in shown:
        message = sent.get(one.content)
        if message is not None and message[1].sequence != one.sequence:
            detail = f"{one.content!r} is {one.sequence} at {history.device_id}, {message[1].sequence} at its sender"
            yield Finding(kind="two orders", detail=detail)


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
    counts = [delivered for delivered, _ in message.delivered_counts]
    if counts != sorted(counts):
        yield Finding(kind="count fell", detail=f"{message.content!r}: told {counts}")
