"""Confirmations of messages to groups: they raise the pointers of the device that confirms, and of its user."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.groups.selectors import Spell, list_spells_of
from apps.messagestore.base import MessageStore, StoreUnavailable
from apps.messagestore.groups import GroupPointer, GroupRow

ROUNDS = 5
ROWS = 100_000

Key = tuple[str, str, str]
"""Group, user, device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfirmation:
    """A device has stored a message to a group."""

    group_id: str
    user_id: str
    device_id: str
    sequence: int


def settle_group_confirmations(store: MessageStore, confirmations: Sequence[GroupConfirmation]) -> set[str]:
    """Raise the pointers. Returns the groups in which somebody has something that they did not have before.

    Whoever was no member when the message was sent is ignored. Raises StoreUnavailable.
    """
    spells = list_spells_of({(one.group_id, one.user_id) for one in confirmations})
    confirmed: dict[Key, set[int]] = defaultdict(set)
    for one in confirmations:
        if _covers(spells.get((one.group_id, one.user_id), ()), one.sequence):
            confirmed[one.group_id, one.user_id, one.device_id].add(one.sequence)
    changed: set[str] = set()
    for _ in range(ROUNDS):
        changes = _list_changes(store, confirmed, spells)
        changed |= {new.group_id for _, new in changes}
        # Of one user only one relay has the confirmations; but one that has lost them may not know it yet.
        if not changes or not store.groups.change_pointers(changes):
            return changed
    raise StoreUnavailable("pointers of groups change faster than they can be raised")


def _covers(spells: Iterable[Spell], sequence: int) -> bool:
    return any(spell.covers(sequence) for spell in spells)


def _list_changes(
    store: MessageStore, confirmed: Mapping[Key, set[int]], spells: Mapping[tuple[str, str], Sequence[Spell]]
) -> list[tuple[GroupPointer, GroupPointer]]:
    pointers = _load_pointers(store, confirmed, spells)
    wanted_upto = {key: max(sequences) for key, sequences in confirmed.items()}
    for group_id, user_id, device_id in confirmed:
        own = (group_id, user_id, "")
        wanted_upto[own] = max(wanted_upto.get(own, 0), wanted_upto[group_id, user_id, device_id])
    rows = _load_rows(store, [(pointers[key], upto) for key, upto in wanted_upto.items()])
    changes: list[tuple[GroupPointer, GroupPointer]] = []
    by_user: dict[Key, set[int]] = defaultdict(set)
    for (group_id, user_id, device_id), sequences in confirmed.items():
        by_user[group_id, user_id, ""] |= sequences
        by_user[group_id, user_id, device_id] |= sequences
    for key, sequences in by_user.items():
        group_id, user_id, device_id = key
        wanted = list_wanted(rows[group_id], user_id, device_id, spells[group_id, user_id])
        old = pointers[key]
        new = old.raised(sequences.intersection(wanted), wanted)
        if new != old:
            changes.append((old, new))
    return changes


def list_wanted(rows: Sequence[GroupRow], user_id: str, device_id: str, spells: Sequence[Spell]) -> list[int]:
    """Sequences of those rows that a device is to confirm; without a device: the user, who has what they wrote."""
    return [
        row.sequence
        for row in rows
        if not row.is_event
        and (row.sender_device != device_id if device_id else row.sender_id != user_id)
        and _covers(spells, row.sequence)
    ]


def _load_pointers(
    store: MessageStore, confirmed: Iterable[Key], spells: Mapping[tuple[str, str], Sequence[Spell]]
) -> dict[Key, GroupPointer]:
    keys = list(confirmed)
    found = {
        one.key: one
        for one in store.groups.list_pointers(
            sorted({group_id for group_id, _, _ in keys}), sorted({user_id for _, user_id, _ in keys})
        )
    }
    missing: dict[Key, GroupPointer] = {}
    for group_id, user_id, device_id in keys:
        own = found.get((group_id, user_id, "")) or missing.get((group_id, user_id, ""))
        if own is None:
            start = min(spell.from_sequence for spell in spells[group_id, user_id])
            own = GroupPointer(group_id=group_id, user_id=user_id, device_id="", upto=start)
            missing[own.key] = own
        if (group_id, user_id, device_id) not in found:
            key = (group_id, user_id, device_id)
            missing[key] = GroupPointer(
                group_id=group_id, user_id=user_id, device_id=device_id, upto=own.upto, beyond=own.beyond
            )
    if missing:
        store.groups.add_pointers(list(missing.values()))
    return missing | found


def _load_rows(store: MessageStore, ranges: Sequence[tuple[GroupPointer, int]]) -> dict[str, list[GroupRow]]:
    """The rows between each pointer and what it is to be raised to: ranges that touch are read together."""
    by_group: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for pointer, upto in ranges:
        by_group[pointer.group_id].append((pointer.upto, upto))
    rows: dict[str, list[GroupRow]] = {}
    for group_id, spans in by_group.items():
        rows[group_id] = []
        for after, upto in _merge(spans):
            rows[group_id] += store.groups.list_rows(group_id, after, upto, ROWS)
    return rows


def _merge(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for after, upto in sorted(spans):
        if merged and after <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(upto, merged[-1][1]))
        else:
            merged.append((after, upto))
    return merged
