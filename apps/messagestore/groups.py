"""The groups' side of a Message DB: messages and events that stand there once, and how far each member's devices are.

A group's rows have one order, by sequence. No row names who has it still to confirm: each member device has a pointer,
and so has the member, which says what any device of theirs has confirmed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

MAX_BEYOND = 2_000
"""Confirmations a pointer may hold that came before earlier ones. What is beyond that is confirmed again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPointer:
    """What a device has confirmed of a group; with an empty ``device_id`` what any device of the user has.

    All up to ``upto`` that was for it, and of what comes after that the sequences in ``beyond``, ascending.
    """

    group_id: str
    user_id: str
    device_id: str
    upto: int = 0
    beyond: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one of."""
        return self.group_id, self.user_id, self.device_id

    def covers(self, sequence: int) -> bool:
        """Whether that one is confirmed."""
        return sequence <= self.upto or sequence in self.beyond

    def raised(self, confirmed: Iterable[int], wanted: Sequence[int]) -> "GroupPointer":
        """The pointer after some were confirmed. ``wanted``: all sequences above ``upto`` that are for it, ascending,
        at least as far as the highest of those. What is above the last of them stays in ``beyond``.
        """
        beyond = set(self.beyond).union(one for one in confirmed if one > self.upto)
        upto = self.upto
        for sequence in wanted:
            if sequence <= upto:
                continue
            if sequence not in beyond:
                break
            upto = sequence
        left = sorted(one for one in beyond if one > upto)
        return GroupPointer(
            group_id=self.group_id,
            user_id=self.user_id,
            device_id=self.device_id,
            upto=upto,
            beyond=tuple(left[:MAX_BEYOND]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A message or event of a group, without its words."""

    message_id: str
    group_id: str
    sequence: int
    sender_id: str
    sender_device: str
    timestamp_ms: int
    undelivered: bool
    delivered_count: int

    @property
    def is_event(self) -> bool:
        """Whether this is an event: it is nobody's to confirm."""
        return self.message_id.startswith("evt-")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEvent:
    """An event as it was stored, which is a row without a digest; ``facts`` are its kind, whom it concerned, and the
    group's version after it.
    """

    event_id: str
    group_id: str
    sequence: int
    timestamp_ms: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProgress:
    """How far a group's rows are stored, and how far they are fanned out."""

    group_id: str
    stored_upto: int
    fanned_upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is known of a group's message by now: members who have it, whether all have, whether nobody waits for it."""

    message_id: str
    delivered_count: int
    delivered_to_all: bool
    waited_for: bool


class GroupMessages(Protocol):
    """The groups' side of a Message DB. Every method raises StoreUnavailable, and every write may be repeated."""

    def raise_stored(self, upto: Mapping[str, int]) -> None:
        """Remember that these groups have rows to fan out, up to these sequences."""

    def raise_fanned(self, group_id: str, upto: int) -> None:
        """Remember how far a group's rows are fanned out."""

    def list_progress(self, group_ids: Sequence[str]) -> dict[str, GroupProgress]:
        """How far these groups are; those of which nothing was stored are left out."""

    def list_behind(self, limit: int) -> list[str]:
        """Groups that have rows to fan out."""

    def list_rows(self, group_id: str, after: int, upto: int, limit: int) -> list[GroupRow]:
        """Rows that are pushed, messages and events, above one sequence and not above another; the lowest first."""

    def list_waiting(self, above: Mapping[str, int]) -> list[GroupRow]:
        """Messages that somebody has still to confirm, of each of these groups above a sequence; by group and
        sequence.
        """

    def list_waiting_groups(self, after: str, limit: int) -> list[str]:
        """Groups that have such messages, by id, after one."""

    def list_events(self, group_ids: Sequence[str], since_ms: int) -> list[GroupEvent]:
        """Events of these groups that were stored since a time, by group and sequence."""

    def list_events_by_id(self, event_ids: Sequence[str]) -> dict[str, GroupEvent]:
        """Events by id; unknown ones are left out."""

    def list_pointers(self, group_ids: Sequence[str], user_ids: Sequence[str] | None = None) -> list[GroupPointer]:
        """Pointers of these groups: of all of their users, or of some."""

    def add_pointers(self, pointers: Sequence[GroupPointer]) -> None:
        """Make pointers; one that is there stays as it is."""

    def change_pointers(self, changes: Sequence[tuple[GroupPointer, GroupPointer]]) -> int:
        """Put each second one in the place of the first, where that still stands so. Returns how many did not."""

    def remove_pointers(self, user_id: str, device_id: str) -> list[str]:
        """Drop a device's pointers. Returns the groups that they were of."""

    def settle(self, settlements: Sequence[Settlement], now_ms: int) -> None:
        """Write how messages stand, and strip at once what nobody waits for or keeps."""

    def list_polled(self, group_id: str, *, after: int, since_ms: int, limit: int) -> list[str]:
        """Ids of messages that members poll for, above a sequence and from a time on; the lowest sequence first."""

    def list_last_polled(self, group_id: str, limit: int) -> list[str]:
        """The newest of them, the newest first."""
