"""The pointers of a user's devices in groups, made where they are missing: for all of the user's devices at once.

A device without a pointer begins where its user is. One that was there when a message came may therefore never be left
without while another one confirms it: the user's pointer would pass it by.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from apps.accounts.selectors import list_delivery_facts
from apps.groups.selectors import Spell
from apps.messagestore.base import MessageStore
from apps.messagestore.groups import GroupPointer

Key = tuple[str, str, str]
"""Group, user, device; with an empty device the user's own."""


def load_pointers(
    store: MessageStore, spells: Mapping[tuple[str, str], Sequence[Spell]], asked: Iterable[tuple[str, str, str]]
) -> dict[Key, GroupPointer]:
    """The pointers of these (group, user, device), and all others of those users there; missing ones are made.

    ``spells`` has each of those (group, user). Raises StoreUnavailable and a database error.
    """
    devices: dict[tuple[str, str], set[str]] = {}
    for group_id, user_id, device_id in asked:
        devices.setdefault((group_id, user_id), set()).add(device_id)
    facts = list_delivery_facts(sorted({user_id for _, user_id in devices}))
    for (_, user_id), known in devices.items():
        known.update(facts[user_id].devices if user_id in facts else ())
    found = _list(store, devices)
    missing = [one for pair, wanted in devices.items() for one in _make(pair, spells[pair], wanted, found)]
    if not missing:
        return found
    store.groups.add_pointers(missing)
    # Somebody else may have made one first, from what the user had then.
    return _list(store, devices)


def first_pointer(group_id: str, user_id: str, spells: Sequence[Spell]) -> GroupPointer:
    """The pointer of a user of whose devices none has confirmed anything: where the first membership begins."""
    start = min(spell.from_sequence for spell in spells)
    return GroupPointer(group_id=group_id, user_id=user_id, device_id="", upto=start)


def _make(
    pair: tuple[str, str], spells: Sequence[Spell], devices: Iterable[str], found: Mapping[Key, GroupPointer]
) -> list[GroupPointer]:
    group_id, user_id = pair
    lacking = [one for one in sorted(devices) if (group_id, user_id, one) not in found]
    own = found.get((group_id, user_id, ""))
    if own is not None and not lacking:
        return []
    made: list[GroupPointer] = []
    if own is None:
        own = first_pointer(group_id, user_id, spells)
        made.append(own)
    return made + [replace(own, device_id=one) for one in lacking]


def _list(store: MessageStore, pairs: Iterable[tuple[str, str]]) -> dict[Key, GroupPointer]:
    group_ids, user_ids = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return {one.key: one for one in store.groups.list_pointers(sorted(group_ids), sorted(user_ids))}
