"""Confirmations of messages to groups: they raise the pointers of the device that confirms, and of its user."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from apps.delivery.group_pointers import Key, load_pointers
from apps.groups.selectors import Spell, list_spells_of
from apps.messagestore.base import MessageStore, StoreUnavailable
from apps.messagestore.groups import GroupPointer, GroupRow

ROUNDS = 5
ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfirmation:
    """A device has stored a message to a group."""

    group_id: str
    user_id: str
    device_id: str
    sequence: int


def settle_group_confirmations(store: MessageStore, confirmations: Sequence[GroupConfirmation]) -> dict[str, int]:
    """Raise the pointers. Returns the groups in which somebody confirmed what was theirs, each with the lowest sequence
    of that: also what comes again, for the first time the relay may have been killed before it asked for a count.

    Whoever was no member when the message was sent is ignored. Raises StoreUnavailable.
    """
    spells = list_spells_of({(one.group_id, one.user_id) for one in confirmations})
    confirmed: dict[Key, set[int]] = defaultdict(set)
    for one in confirmations:
        if _covers(spells.get((one.group_id, one.user_id), ()), one.sequence):
            confirmed[one.group_id, one.user_id, one.device_id].add(one.sequence)
    for _ in range(ROUNDS):
        changes = _list_changes(store, confirmed, spells)
        # Of one user only one relay has the confirmations; but one that has lost them may not know it yet.
        if not changes or not store.groups.change_pointers(changes):
            return _list_lowest(confirmed)
    raise StoreUnavailable("pointers of groups change faster than they can be raised")


def _list_lowest(confirmed: Mapping[Key, set[int]]) -> dict[str, int]:
    lowest: dict[str, int] = {}
    for (group_id, _, _), sequences in confirmed.items():
        lowest[group_id] = min(lowest.get(group_id, min(sequences)), *sequences)
    return lowest


def _covers(spells: Iterable[Spell], sequence: int) -> bool:
    return any(spell.covers(sequence) for spell in spells)


def _list_changes(
    store: MessageStore, confirmed: Mapping[Key, set[int]], spells: Mapping[tuple[str, str], Sequence[Spell]]
) -> list[tuple[GroupPointer, GroupPointer]]:
    pointers = load_pointers(store, spells, confirmed)
    by_pointer: dict[Key, set[int]] = defaultdict(set)
    for (group_id, user_id, device_id), sequences in confirmed.items():
        by_pointer[group_id, user_id, ""] |= sequences
        by_pointer[group_id, user_id, device_id] |= sequences
    # As far as what is confirmed by now: a gap before that may just have been filled.
    upto = {key: max(sequences.union(pointers[key].beyond)) for key, sequences in by_pointer.items()}
    rows = _load_rows(store, [(pointers[key], one) for key, one in upto.items()])
    changes: list[tuple[GroupPointer, GroupPointer]] = []
    for key, sequences in by_pointer.items():
        group_id, user_id, device_id = key
        old = pointers[key]
        between = _cut(rows[group_id], old.upto, upto[key])
        wanted = list_wanted(between, user_id, device_id, spells[group_id, user_id])
        new = old.raised(sequences.intersection(wanted), wanted)
        if new != old:
            changes.append((old, new))
    return changes


def _cut(rows: Sequence[GroupRow], after: int, upto: int) -> Sequence[GroupRow]:
    """What is between the two. Of what was read for others there may be gaps, and a pointer must not be raised over
    one.
    """
    first, last = (bisect_right(rows, one, key=attrgetter("sequence")) for one in (after, upto))
    return rows[first:last]


def list_wanted(rows: Sequence[GroupRow], user_id: str, device_id: str, spells: Sequence[Spell]) -> list[int]:
    """Sequences of those rows that a device is to confirm; without a device: the user, who has what they wrote."""
    return [
        row.sequence
        for row in rows
        if not row.is_event
        and (row.sender_device != device_id if device_id else row.sender_id != user_id)
        and _covers(spells, row.sequence)
    ]


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
