"""What all devices of a group's members heard of it, held against each other: one order for all, and nothing else."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, pairwise

from tests.client.history import GroupEvent, History
from tests.faults.checker.groups import list_stays

Told = tuple[str, tuple[str, ...], int]


def find_in_views(group_id: str, histories: Sequence[History], members: Collection[str]) -> Iterator[str]:
    """What is wrong with what was heard of a group. ``members`` are those who must be in it in the end."""
    heard = [event for history in histories for event in history.group_events.values() if event.group_id == group_id]
    events = {event.event_id: event for event in heard}
    if len({(event.event_id, _tell(event)) for event in heard}) > len(events):
        yield "an event is told in two ways"
    stays = list_stays(group_id, events.values())
    present = {user_id for user_id, mine in stays.items() if mine and mine[-1].end is None}
    if present != set(members):
        yield f"members by the events, but not in truth: {present - set(members)}, and in turn {set(members) - present}"
    yield from _find_shared_places(group_id, histories, events.values())
    yield from _find_words_of_nobody(group_id, histories)
    for history in histories:
        mine = stays.get(history.user_id, [])
        theirs = {
            event.event_id
            for event in events.values()
            if any(stay.start <= event.sequence and (stay.end is None or event.sequence <= stay.end) for stay in mine)
        }
        got = {event.event_id for event in history.group_events.values() if event.group_id == group_id}
        if got != theirs:
            missing, foreign = [[_tell(events[one]) for one in few] for few in (theirs - got, got - theirs)]
            yield f"events at {history.device_id}, whose stays are {mine}: missing {missing}, not theirs {foreign}"
        yield from _find_disorder(group_id, history)


def count_kinds(group_id: str, histories: Sequence[History]) -> Counter[str]:
    """How often each kind of event happened."""
    events = {one.event_id: one for history in histories for one in history.group_events.values()}
    return Counter(event.kind for event in events.values() if event.group_id == group_id)


def _tell(event: GroupEvent) -> Told:
    return event.kind, event.user_ids, event.sequence


def _find_shared_places(group_id: str, histories: Sequence[History], events: Collection[GroupEvent]) -> Iterator[str]:
    """Each message and each event has a place of its own."""
    messages = {
        (shown.message_id, shown.sequence)
        for history in histories
        for shown in history.shown.values()
        if shown.group_id == group_id
    }
    places = Counter(sequence for _, sequence in messages) + Counter(event.sequence for event in events)
    if twice := [sequence for sequence, count in places.items() if count > 1]:
        yield f"two stand at one place: {twice}"


def _find_words_of_nobody(group_id: str, histories: Sequence[History]) -> Iterator[str]:
    """Contents are unique within a run."""
    senders = {
        message.content: history.user_id
        for history in histories
        for message in history.sent.values()
        if message.receiver_id == group_id
    }
    for history in histories:
        for shown in history.shown.values():
            if shown.group_id == group_id and senders.get(shown.content) != shown.sender_id:
                yield f"{shown.content!r} of {shown.sender_id} at {history.device_id}: who wrote that?"
        if history.conflicting_repeats:
            yield f"an id came with other words to {history.device_id}: {history.conflicting_repeats[:3]}"


def _find_disorder(group_id: str, history: History) -> Iterator[str]:
    """Events stand among the messages at a device as they do on the log."""
    events = [event for event in history.group_events.values() if event.group_id == group_id]
    for one, later in pairwise(events):
        if later.sequence <= one.sequence:
            yield f"{history.device_id}: {_tell(later)} came after {_tell(one)}"
    shown = [one.sequence if one.group_id == group_id else None for one in history.shown.values()]
    highest_before = [0, *accumulate((one or 0 for one in shown), max)]
    lowest_after = [math.inf, *accumulate((one or math.inf for one in reversed(shown)), min)][::-1]
    for event in events:
        if not highest_before[event.shown_before] < event.sequence < lowest_after[event.shown_before]:
            yield f"{history.device_id}: messages on the wrong side of {_tell(event)}"
