"""What a device's inbox must hold of its user's groups, from the Message DB alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apps.delivery.frames import build_group_changed
from apps.delivery.group_pointers import load_pointers
from apps.groups.selectors import (
    Spell,
    list_by_id,
    list_event_ids,
    list_group_ids,
    list_present_group_ids,
    list_spells_of,
)
from apps.inbox.inbox import Waiting
from apps.messagestore.base import MessageStore
from apps.messagestore.groups import GroupEvent, GroupPointer, GroupRow


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntries:
    """``messages`` that a device has to confirm, as the store lists others: (message id, group id, sequence,
    timestamp). ``events`` that it may have missed, by id.
    """

    messages: Sequence[tuple[str, str, int, int]] = ()
    events: Mapping[str, GroupEvent] = field(default_factory=dict)


def list_entries_of_groups(store: MessageStore, user_id: str, device_id: str, since_ms: int) -> GroupEntries:
    """What the device lacks of its user's groups, and their events since a time that the user was there for; of groups
    that are polled only those by which the user came and went.

    Nothing above what was stored of a group at the beginning: a later one comes by the fan-out, which has not passed it
    yet. Read up to wherever the group was by then, a message could stand here without the event before it.
    Raises StoreUnavailable and a database error.
    """
    group_ids = list_group_ids(user_id)
    upto = {one.group_id: one.stored_upto for one in store.groups.list_progress(group_ids).values()}
    spells = list_spells_of({(group_id, user_id) for group_id in group_ids})
    if not spells:
        return GroupEntries()
    polled = {group.pk for group in list_by_id(group_ids).values() if group.is_polled}
    group_ids = sorted(group_id for group_id, _ in spells if group_id in upto)
    pointers = load_pointers(store, spells, [(group_id, user_id, device_id) for group_id in group_ids])
    messages = [
        (row.message_id, row.group_id, row.sequence, row.timestamp_ms)
        for row in store.groups.list_waiting({one: pointers[one, user_id, device_id].upto for one in group_ids})
        if row.sequence <= upto[row.group_id]
        and _lacks(row, pointers[row.group_id, user_id, device_id], spells[row.group_id, user_id])
    ]
    events = {
        event.event_id: event
        for event in store.groups.list_events([one for one in group_ids if one not in polled], since_ms)
        if event.sequence <= upto[event.group_id]
        and any(spell.sees(event.sequence) for spell in spells[event.group_id, user_id])
    }
    of_polled = {pair: times for pair, times in spells.items() if pair[0] in polled}
    events |= {event.event_id: event for event in _list_own_events(store, of_polled, since_ms)}
    return GroupEntries(messages=messages, events=events)


def _list_own_events(
    store: MessageStore, spells: Mapping[tuple[str, str], Sequence[Spell]], since_ms: int
) -> list[GroupEvent]:
    event_ids = [
        event_id
        for (group_id, _), times in spells.items()
        for event_id in list_event_ids(group_id, {end for one in times for end in one.ends})
    ]
    events = store.groups.list_events_by_id(event_ids).values() if event_ids else ()
    return [event for event in events if event.timestamp_ms >= since_ms]


def list_versions_of_groups(user_id: str) -> list[Waiting]:
    """The versions of the groups in which the user is a member: what changed may have been missed."""
    groups = list_by_id(list_present_group_ids(user_id))
    return [build_group_changed(group.pk, group.version) for group in groups.values() if group.deleted_at is None]


def _lacks(row: GroupRow, pointer: GroupPointer, spells: Sequence[Spell]) -> bool:
    return (
        not row.is_event
        and row.sender_device != pointer.device_id
        and not pointer.covers(row.sequence)
        and any(spell.covers(row.sequence) for spell in spells)
    )
