"""How many members have a message, counted for many messages of a group at once: by bisection, not member by member.

Of most members it takes two numbers: where they joined, and up to where they have everything. Whoever has left, come
back or confirmed out of order is looked at one by one.
"""

from bisect import bisect_left
from collections.abc import Sequence

from apps.delivery.group_members import GroupMembers
from apps.messagestore.groups import GroupPointer, GroupRow, Settlement


class Ladder:
    """Where many stand: each began after one sequence and has all up to another one, which is not below that."""

    def __init__(self, standings: Sequence[tuple[int, int]]) -> None:
        self._starts = sorted(start for start, _ in standings)
        self._uptos = sorted(upto for _, upto in standings)

    def concerned(self, sequence: int) -> int:
        """How many of them a message of this sequence is for."""
        return bisect_left(self._starts, sequence)

    def lacking(self, sequence: int) -> int:
        """How many of those do not have it."""
        # Who began later stands above it too: what is below it are those who lack it.
        return bisect_left(self._uptos, sequence)


class Tally:
    """The members of a group, ready to be counted."""

    def __init__(self, members: GroupMembers) -> None:
        self._members = members
        self._plain = {user_id for user_id in members.spells if self._is_plain(user_id)}
        self._others = [user_id for user_id in members.spells if user_id not in self._plain]
        self._users = Ladder([(self._start(one), members.own_pointer(one).upto) for one in self._plain])
        self._devices = Ladder(
            [
                (self._start(user_id), pointer.upto)
                for user_id in self._plain
                for pointer in members.wanted_pointers(user_id)[1:]
            ]
        )

    def settle(self, row: GroupRow) -> Settlement:
        """How a message stands. Whoever is no member any more does not hold up ✓✓ of all, but is waited for."""
        receivers, lacking = self._count_plain(row)
        current = lacking
        for user_id in self._others:
            if user_id != row.sender_id and self._members.was_member(user_id, row.sequence):
                receivers += 1
                if not self._members.has(user_id, row):
                    lacking += 1
                    current += self._members.is_member(user_id)
        return Settlement(
            message_id=row.message_id,
            delivered_count=receivers - lacking,
            delivered_to_all=not current,
            waited_for=bool(lacking) or self._is_waited_for(row),
        )

    def _count_plain(self, row: GroupRow) -> tuple[int, int]:
        receivers, lacking = self._users.concerned(row.sequence), self._users.lacking(row.sequence)
        sender = row.sender_id
        if sender in self._plain and self._start(sender) < row.sequence:
            receivers -= 1
            lacking -= not self._members.own_pointer(sender).covers(row.sequence)
        return receivers, lacking

    def _is_waited_for(self, row: GroupRow) -> bool:
        lacking = self._devices.lacking(row.sequence)
        if row.sender_id in self._plain and row.sender_device in self._members.devices(row.sender_id):
            own = self._members.pointer(row.sender_id, row.sender_device)
            lacking -= self._start(row.sender_id) < row.sequence and not own.covers(row.sequence)
        return lacking > 0 or any(
            self._members.lacks(user_id, device_id, row)
            for user_id in self._others
            for device_id in self._members.devices(user_id)
        )

    def _start(self, user_id: str) -> int:
        return self._members.spells[user_id][0].from_sequence

    def _is_plain(self, user_id: str) -> bool:
        spells = self._members.spells[user_id]
        pointers: list[GroupPointer] = self._members.wanted_pointers(user_id)
        return (
            len(spells) == 1
            and spells[0].to_sequence is None
            and all(not one.beyond and one.upto >= spells[0].from_sequence for one in pointers)
        )
