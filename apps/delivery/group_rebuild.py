"""What a device's inbox must hold of its user's groups, from the Message DB alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apps.delivery.frames import build_group_changed
from apps.delivery.group_pointers import load_pointers
from apps.groups.selectors import Spell, list_by_id, list_group_ids, list_present_group_ids, list_spells_of
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
    """What the device lacks of its user's groups, and their events since a time that the user was there for. Of groups
    that are polled no events are told.

    Nothing above what was stored of a group at the beginning: a later one comes by the fan-out, which has not passed it
    yet. Read up to wherever the group was by then, a message could stand here without the event before it.
    Raises StoreUnavailable and a database error.
    """
    upto = {one.group_id: one.stored_upto for one in store.groups.list_progress(list_group_ids(user_id)).values()}
    spells = list_spells_of({(group_id, user_id) for group_id in upto})
    if not spells:
        return GroupEntries()
    pointers = load_pointers(store, spells, [(group_id, user_id, device_id) for group_id, _ in spells])
    group_ids = sorted(group_id for group_id, _ in spells)
    polled = {group.pk for group in list_by_id(group_ids).values() if group.is_polled}
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
    return GroupEntries(messages=messages, events=events)


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
