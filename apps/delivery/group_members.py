"""Who of a group is to get which of its messages: times of membership, devices, and what they have confirmed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from apps.accounts.selectors import DeliveryFacts, list_delivery_facts
from apps.delivery.group_pointers import first_pointer
from apps.groups.selectors import Spell, list_spells
from apps.messagestore.base import MessageStore
from apps.messagestore.groups import GroupPointer, GroupRow


@dataclass(slots=True)
class GroupMembers:
    """People of a group, as of now, each with all times of membership; ``pointers`` by (user, device), "" for the
    user's own.
    """

    group_id: str
    spells: Mapping[str, Sequence[Spell]]
    facts: Mapping[str, DeliveryFacts]
    pointers: dict[tuple[str, str], GroupPointer] = field(default_factory=dict)

    def was_member(self, user_id: str, sequence: int) -> bool:
        """Whether a message of this sequence is for the user."""
        return any(spell.covers(sequence) for spell in self.spells[user_id])

    def sees_event(self, user_id: str, sequence: int) -> bool:
        """Whether an event of this sequence is for the user."""
        return any(spell.sees(sequence) for spell in self.spells[user_id])

    def is_member(self, user_id: str) -> bool:
        """Whether the user is a member now."""
        return any(spell.to_sequence is None for spell in self.spells[user_id])

    def devices(self, user_id: str) -> tuple[str, ...]:
        """The user's devices that are waited for."""
        facts = self.facts.get(user_id)
        return facts.devices if facts else ()

    def own_pointer(self, user_id: str) -> GroupPointer:
        """What any device of the user has confirmed."""
        found = self.pointers.get((user_id, ""))
        return first_pointer(self.group_id, user_id, self.spells[user_id]) if found is None else found

    def pointer(self, user_id: str, device_id: str) -> GroupPointer:
        """What a device has confirmed; of one that is new, what the user has: the rest is for it."""
        found = self.pointers.get((user_id, device_id))
        return replace(self.own_pointer(user_id), device_id=device_id) if found is None else found

    def wanted_pointers(self, user_id: str) -> list[GroupPointer]:
        """The user's pointer, and one for each device that is waited for."""
        return [self.own_pointer(user_id), *(self.pointer(user_id, one) for one in self.devices(user_id))]

    def lacks(self, user_id: str, device_id: str, row: GroupRow) -> bool:
        """Whether a device has this message still to confirm."""
        return (
            row.sender_device != device_id
            and self.was_member(user_id, row.sequence)
            and not self.pointer(user_id, device_id).covers(row.sequence)
        )

    def has(self, user_id: str, row: GroupRow) -> bool:
        """Whether a member has this message: one of their devices has confirmed it, or they wrote it."""
        return row.sender_id == user_id or self.own_pointer(user_id).covers(row.sequence)


def load_members(store: MessageStore, group_id: str, lowest: int) -> GroupMembers:
    """Who was a member at this sequence or later, and how far each of their devices is.

    Those who had left before are many in an old group, and nothing from there on is for them.
    Raises StoreUnavailable and a database error.
    """
    everybody: dict[str, list[Spell]] = defaultdict(list)
    for spell in list_spells(group_id):
        everybody[spell.user_id].append(spell)
    spells = {user_id: times for user_id, times in everybody.items() if any(one.reaches(lowest) for one in times)}
    pointers = {(one.user_id, one.device_id): one for one in store.groups.list_pointers([group_id])}
    return GroupMembers(group_id=group_id, spells=spells, facts=list_delivery_facts(list(spells)), pointers=pointers)


def add_missing_pointers(store: MessageStore, members: GroupMembers) -> None:
    """Give each device that is waited for a pointer: from here on its user's other devices do not confirm for it."""
    missing = [
        pointer
        for user_id in members.spells
        for pointer in members.wanted_pointers(user_id)
        if (pointer.user_id, pointer.device_id) not in members.pointers
    ]
    if missing:
        store.groups.add_pointers(missing)
        members.pointers |= {
            (one.user_id, one.device_id): one for one in store.groups.list_pointers([members.group_id])
        }
