"""What a device's inbox must hold of its user's groups, from the Message DB alone."""

from collections.abc import Sequence

from apps.delivery.frames import build_group_changed
from apps.groups.selectors import Spell, list_by_id, list_group_ids, list_present_group_ids, list_spells_of
from apps.inbox.inbox import Waiting
from apps.messagestore.base import MessageStore
from apps.messagestore.groups import GroupEvent, GroupPointer, GroupRow


def list_pending_of_groups(store: MessageStore, user_id: str, device_id: str) -> list[tuple[str, str, int, int]]:
    """Messages that the device has to confirm: (message id, group id, sequence, timestamp), as the store lists others.

    A device without a pointer gets one first: from here on its user's other devices do not confirm for it.
    """
    spells = _spells_of(user_id)
    if not spells:
        return []
    pointers = _load_pointers(store, user_id, device_id, spells)
    return [
        (row.message_id, row.group_id, row.sequence, row.timestamp_ms)
        for row in store.groups.list_waiting(sorted(spells))
        if _lacks(row, pointers[row.group_id], spells[row.group_id])
    ]


def list_events_of_groups(store: MessageStore, user_id: str, since_ms: int) -> list[GroupEvent]:
    """Events since a time that the user was there for. Of groups that are polled nothing is told."""
    spells = _spells_of(user_id)
    polled = {group.pk for group in list_by_id(sorted(spells)).values() if group.is_polled}
    return [
        event
        for event in store.groups.list_events(sorted(spells.keys() - polled), since_ms)
        if any(spell.sees(event.sequence) for spell in spells[event.group_id])
    ]


def list_versions_of_groups(user_id: str) -> list[Waiting]:
    """The versions of the groups in which the user is a member: what changed may have been missed."""
    groups = list_by_id(list_present_group_ids(user_id))
    return [build_group_changed(group.pk, group.version) for group in groups.values() if group.deleted_at is None]


def _spells_of(user_id: str) -> dict[str, Sequence[Spell]]:
    pairs = {(group_id, user_id) for group_id in list_group_ids(user_id)}
    return {group_id: spells for (group_id, _), spells in list_spells_of(pairs).items()}


def _load_pointers(
    store: MessageStore, user_id: str, device_id: str, spells: dict[str, Sequence[Spell]]
) -> dict[str, GroupPointer]:
    found = {one.key: one for one in store.groups.list_pointers(sorted(spells), [user_id])}
    missing: list[GroupPointer] = []
    for group_id, times in spells.items():
        own = found.get((group_id, user_id, ""))
        if own is None:
            start = min(spell.from_sequence for spell in times)
            own = GroupPointer(group_id=group_id, user_id=user_id, device_id="", upto=start)
            missing.append(own)
        if (group_id, user_id, device_id) not in found:
            missing.append(
                GroupPointer(group_id=group_id, user_id=user_id, device_id=device_id, upto=own.upto, beyond=own.beyond)
            )
    if missing:
        store.groups.add_pointers(missing)
        found = {one.key: one for one in store.groups.list_pointers(sorted(spells), [user_id])}
    return {group_id: found[group_id, user_id, device_id] for group_id in spells}


def _lacks(row: GroupRow, pointer: GroupPointer, spells: Sequence[Spell]) -> bool:
    return (
        not row.is_event
        and row.sender_device != pointer.device_id
        and not pointer.covers(row.sequence)
        and any(spell.covers(row.sequence) for spell in spells)
    )
