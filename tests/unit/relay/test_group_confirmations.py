"""Confirmations raise two pointers, that of the device and that of its user, and never past what was not confirmed."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.accounts.selectors import DeliveryFacts
from apps.delivery import group_pointers
from apps.groups.selectors import Spell
from apps.messagestore.base import StoreUnavailable
from apps.messagestore.groups import GroupPointer, GroupRow
from apps.relay import group_confirmations
from apps.relay.group_confirmations import GroupConfirmation, settle_group_confirmations

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

on_databases = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


def settle(circle: "Circle", user_id: str, device_id: str, *numbers: int) -> set[str]:
    """As the relay does with a record of this device."""
    return settle_group_confirmations(
        circle.store,
        [
            GroupConfirmation(
                group_id=circle.group_id,
                user_id=user_id,
                device_id=device_id,
                sequence=circle.standing(number).sequence,
            )
            for number in numbers
        ],
    )


@on_databases
def test_a_confirmation_raises_the_pointers_of_its_device_and_of_its_user_and_no_other(circle: "Circle") -> None:
    circle.send(1)
    others = {one.key: one for one in circle.store.groups.list_pointers([circle.group_id])}
    stored = circle.confirm(circle.bob, circle.bob1, 1)
    after = {one.key: one for one in circle.store.groups.list_pointers([circle.group_id])}
    changed = {key[1:] for key, one in after.items() if one != others[key]}
    assert changed == {(circle.bob, circle.bob1), (circle.bob, "")}
    assert circle.has(circle.bob, circle.bob1, 1) == circle.has(circle.bob, "", 1) == [True]
    assert circle.has(circle.bob, circle.bob2, 1) == [False]
    assert list(stored.hints.to_count) == [circle.group_id]
    assert (circle.waiting(circle.bob, circle.bob1), circle.waiting(circle.bob, circle.bob2)) == (0, 1)


@on_databases
def test_a_confirmation_that_comes_again_changes_nothing_and_asks_for_a_count_again(circle: "Circle") -> None:
    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    before = circle.store.groups.list_pointers([circle.group_id])
    assert list(settle(circle, circle.bob, circle.bob1, 1)) == [circle.group_id], "the first time may have been lost"
    assert circle.store.groups.list_pointers([circle.group_id]) == before


@on_databases
def test_strangers_and_unknown_messages_are_ignored(circle: "Circle") -> None:
    circle.send(1)
    stored = circle.confirm(circle.dee, circle.dee1, 1, 77)
    assert stored.hints.to_count == {}
    assert circle.pointer(circle.dee) is None
    assert circle.pointer(circle.dee, circle.dee1) is None


@on_databases
def test_what_is_confirmed_out_of_order_stands_beyond_until_the_gap_is_filled(circle: "Circle") -> None:
    circle.send(1, 2, 3)
    first, second, third = (circle.standing(number).sequence for number in (1, 2, 3))
    start = circle.pointer(circle.bob).upto  # type: ignore[union-attr]
    for number, upto, beyond in ((3, start, (third,)), (1, first, (third,)), (2, third, ())):
        circle.confirm(circle.bob, circle.bob1, number)
        for device_id in (circle.bob1, ""):
            pointer = circle.pointer(circle.bob, device_id)
            assert (pointer.upto, pointer.beyond) == (upto, beyond)  # type: ignore[union-attr]
    assert second < third


@on_databases
def test_nobody_waits_for_own_messages(circle: "Circle") -> None:
    circle.relay(circle.by_bob(1), circle.message(2), circle.by_bob(3), circle.message(4))
    circle.fan_out()
    circle.confirm(circle.bob, circle.bob1, 2, 4)
    for device_id in (circle.bob1, ""):
        pointer = circle.pointer(circle.bob, device_id)
        assert (pointer.upto, pointer.beyond) == (circle.standing(4).sequence, ())  # type: ignore[union-attr]
    assert circle.has(circle.bob, circle.bob2, 1, 2) == [False, False], "the other device has none of them yet"


@on_databases
def test_the_senders_other_device_confirms_its_copy_for_itself(circle: "Circle") -> None:
    circle.send(1)
    start = circle.pointer(circle.ada).upto  # type: ignore[union-attr]
    circle.confirm(circle.ada, circle.ada2, 1)
    assert circle.has(circle.ada, circle.ada2, 1) == [True]
    assert circle.pointer(circle.ada).upto == start  # type: ignore[union-attr]


@on_databases
def test_the_user_has_what_any_of_their_devices_has(circle: "Circle") -> None:
    circle.send(1, 2, 3)
    circle.confirm(circle.bob, circle.bob1, 1)
    circle.confirm(circle.bob, circle.bob2, 2)
    assert circle.has(circle.bob, circle.bob1, 1, 2, 3) == [True, False, False]
    assert circle.has(circle.bob, circle.bob2, 1, 2, 3) == [False, True, False]
    assert circle.has(circle.bob, "", 1, 2, 3) == [True, True, False]


@on_databases
def test_events_between_messages_do_not_stop_a_pointer(circle: "Circle") -> None:
    circle.relay(
        circle.message(1),
        circle.change("renamed", circle.ada, name="New"),
        circle.message(2),
        circle.message(3, sender_id=circle.dee, sender_device=circle.dee1),
        circle.message(4),
    )
    circle.confirm(circle.bob, circle.bob1, 1, 2)
    circle.confirm(circle.bob, circle.bob1, 4)
    pointer = circle.pointer(circle.bob, circle.bob1)
    assert (pointer.upto, pointer.beyond) == (circle.standing(4).sequence, ())  # type: ignore[union-attr]


@on_databases
def test_who_has_left_still_confirms_what_was_theirs_and_nothing_else(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.change("left", circle.cyd, circle.cyd), circle.message(2))
    stored = circle.confirm(circle.cyd, circle.cyd1, 1, 2)
    assert list(stored.hints.to_count) == [circle.group_id]
    assert circle.has(circle.cyd, circle.cyd1, 1, 2) == [True, False]


@on_databases
def test_what_was_written_while_a_member_was_away_holds_up_nothing_when_they_are_back(circle: "Circle") -> None:
    circle.relay(
        circle.message(1),
        circle.change("left", circle.cyd, circle.cyd),
        circle.message(2),
        circle.change("joined", circle.ada, circle.cyd),
        circle.message(3),
    )
    circle.confirm(circle.cyd, circle.cyd1, 1, 3)
    pointer = circle.pointer(circle.cyd, circle.cyd1)
    assert (pointer.upto, pointer.beyond) == (circle.standing(3).sequence, ())  # type: ignore[union-attr]


@on_databases
def test_what_is_read_of_the_group_for_others_raises_nobody_over_a_gap(circle: "Circle") -> None:
    circle.send(*range(1, 8))
    circle.confirm(circle.cyd, circle.cyd1, 1, 2, 3, 4, 5)
    circle.confirm(circle.bob, circle.bob1, 6)
    circle.relay(
        circle.confirmation(circle.bob, circle.bob1, 1),
        circle.confirmation(circle.cyd, circle.cyd1, 6, 7),
    )
    expected = [True, False, False, False, False, True, False]
    assert circle.has(circle.bob, circle.bob1, *range(1, 8)) == expected
    assert circle.has(circle.bob, "", *range(1, 8)) == expected


@on_databases
def test_who_loses_a_race_looks_again_and_nothing_is_lost(circle: "Circle", monkeypatch: pytest.MonkeyPatch) -> None:
    """Two relays: one of them has lost the partition and does not know it yet."""
    groups = type(circle.store.groups)
    change, races = groups.change_pointers, [1]

    def race(store: Any, changes: Any) -> int:
        if races:
            races.pop()
            settle(circle, circle.bob, circle.bob1, 2)
        return int(change(store, changes))

    circle.send(1, 2, 3)
    monkeypatch.setattr(groups, "change_pointers", race)
    assert list(settle(circle, circle.bob, circle.bob1, 1)) == [circle.group_id]
    assert circle.has(circle.bob, circle.bob1, 1, 2, 3) == circle.has(circle.bob, "", 1, 2, 3) == [True, True, False]


@on_databases
def test_who_loses_every_race_tries_the_batch_again_later(circle: "Circle", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(circle.store.groups), "change_pointers", lambda store, changes: len(changes))
    circle.send(1)
    with pytest.raises(StoreUnavailable):
        settle(circle, circle.bob, circle.bob1, 1)


@on_databases
def test_a_pointer_that_somebody_else_makes_first_is_the_one_that_is_raised(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fan-out has read less than a device of the same user has confirmed by now."""
    groups = type(circle.store.groups)
    add = groups.add_pointers
    raced: list[int] = []

    def race(store: Any, pointers: Sequence[GroupPointer]) -> None:
        if not raced:
            raced.append(1)
            start = min(one.sequence for one in rows) - 1
            add(store, [GroupPointer(group_id=circle.group_id, user_id=circle.bob, device_id=tablet, upto=start)])
        add(store, pointers)

    circle.send(1, 2)
    rows = circle.store.groups.list_waiting({circle.group_id: 0})
    circle.confirm(circle.bob, circle.bob1, 1, 2)
    tablet = "dev-0123456789ab"
    monkeypatch.setattr(groups, "add_pointers", race)
    settle(circle, circle.bob, tablet, 1)
    assert circle.has(circle.bob, tablet, 1, 2) == [True, False]


# -- any order and batching -----------------------------------------------------------------------------------------


class Rows:
    """The groups' side of a store, in memory; a change that was overtaken is refused as the database does."""

    def __init__(self, rows: Sequence[GroupRow]) -> None:
        self.rows = rows
        self.pointers: dict[tuple[str, str, str], GroupPointer] = {}

    def list_rows(self, group_id: str, after: int, upto: int, limit: int) -> list[GroupRow]:
        return [row for row in self.rows if row.group_id == group_id and after < row.sequence <= upto][:limit]

    def list_pointers(self, group_ids: Sequence[str], user_ids: Sequence[str]) -> list[GroupPointer]:
        return [one for one in self.pointers.values() if one.group_id in group_ids and one.user_id in user_ids]

    def add_pointers(self, pointers: Sequence[GroupPointer]) -> None:
        for one in pointers:
            self.pointers.setdefault(one.key, one)

    def change_pointers(self, changes: Sequence[tuple[GroupPointer, GroupPointer]]) -> int:
        refused = 0
        for old, new in changes:
            if self.pointers[old.key] == old:
                self.pointers[new.key] = new
            else:
                refused += 1
        return refused


USERS = ("usr-a", "usr-b", "usr-c")
DEVICES = {user_id: (f"{user_id}-1", f"{user_id}-2") for user_id in USERS}
GROUPS = ("grp-1", "grp-2")


class Past:
    """What has happened in the groups: rows, and who was a member when."""

    def __init__(self, steps: Sequence[tuple[str, int, int, int]]) -> None:
        self.rows: list[GroupRow] = []
        self.spells: dict[tuple[str, str], list[Spell]] = {}
        for position, (kind, who, device, group) in enumerate(steps, 1):
            pair = (GROUPS[group], USERS[who])
            if kind == "message":
                self._add_row(position, pair, DEVICES[USERS[who]][device], "msg")
            elif kind == "event":
                self._add_row(position, pair, "", "evt")
            else:
                self._toggle(pair, position)

    def _add_row(self, position: int, pair: tuple[str, str], device_id: str, prefix: str) -> None:
        if prefix == "evt" or any(spell.to_sequence is None for spell in self.spells.get(pair, ())):
            self.rows.append(
                GroupRow(
                    message_id=f"{prefix}-{position}",
                    group_id=pair[0],
                    sequence=position,
                    sender_id=pair[1],
                    sender_device=device_id,
                    timestamp_ms=1,
                    undelivered=True,
                    delivered_count=0,
                )
            )

    def _toggle(self, pair: tuple[str, str], position: int) -> None:
        """Join, or leave."""
        spells = self.spells.setdefault(pair, [])
        if spells and spells[-1].to_sequence is None:
            start = spells.pop().from_sequence
            spells.append(Spell(user_id=pair[1], from_sequence=start, to_sequence=position))
        else:
            spells.append(Spell(user_id=pair[1], from_sequence=position, to_sequence=None))

    def received(self) -> Iterator[tuple[GroupRow, str, str]]:
        """Each message with each device that it is for."""
        for row in self.rows:
            for user_id in USERS:
                covered = any(one.covers(row.sequence) for one in self.spells.get((row.group_id, user_id), ()))
                for device_id in DEVICES[user_id]:
                    if not row.is_event and covered and row.sender_device != device_id:
                        yield row, user_id, device_id

    def first_pointers(self) -> Iterator[GroupPointer]:
        """Those of everybody, as a fan-out makes them."""
        for (group_id, user_id), spells in self.spells.items():
            for device_id in ("", *DEVICES[user_id]):
                start = spells[0].from_sequence
                yield GroupPointer(group_id=group_id, user_id=user_id, device_id=device_id, upto=start)


@contextmanager
def memberships(past: Past) -> Iterator[None]:
    """In the place of the users' database."""

    def list_spells_of(pairs: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Spell]]:
        return {pair: past.spells[pair] for pair in pairs if pair in past.spells}

    def list_delivery_facts(user_ids: Sequence[str]) -> dict[str, DeliveryFacts]:
        return {
            one: DeliveryFacts(active=True, devices=tuple(DEVICES[one]), history_days=0, read_receipts=True)
            for one in user_ids
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_confirmations, "list_spells_of", list_spells_of)
        patch.setattr(group_pointers, "list_delivery_facts", list_delivery_facts)
        yield


def confirm(rows: Rows, confirmed: Sequence[tuple[GroupRow, str, str]], cuts: Sequence[int]) -> None:
    """In batches of these sizes, again and again."""
    store: Any = SimpleNamespace(groups=rows)
    start, sizes = 0, list(cuts) or [1]
    while start < len(confirmed):
        size = sizes[start % len(sizes)]
        settle_group_confirmations(
            store,
            [
                GroupConfirmation(group_id=row.group_id, user_id=user_id, device_id=device_id, sequence=row.sequence)
                for row, user_id, device_id in confirmed[start : start + size]
            ],
        )
        start += size


JOINS = [("toggle", who, 0, group) for who in range(3) for group in range(2)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["message", "message", "event", "toggle"]),
        st.integers(0, 2),
        st.integers(0, 1),
        st.integers(0, 1),
    ),
    min_size=12,
    max_size=40,
)


@hypothesis_settings(deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32), share=st.floats(0, 1), cuts=st.lists(st.integers(1, 9), max_size=4))
def test_any_order_and_batching_of_confirmations_ends_with_what_was_confirmed_and_nothing_else(
    steps: Sequence[tuple[str, int, int, int]], seed: int, share: float, cuts: Sequence[int]
) -> None:
    past = Past([*JOINS, *steps])
    rows = Rows(past.rows)
    rows.add_pointers(list(past.first_pointers()))
    dice = random.Random(seed)
    received = list(past.received())
    confirmed = [one for one in received if dice.random() < share]
    said = confirmed + [one for one in confirmed if dice.random() < 0.2]  # some come twice
    foreign = [(row, user_id, DEVICES[user_id][0]) for row in past.rows for user_id in USERS]
    said += [one for one in foreign if one not in received and dice.random() < 0.3]
    dice.shuffle(said)
    with memberships(past):
        confirm(rows, said, cuts)
    by_device = {(row.message_id, device_id) for row, _, device_id in confirmed}
    by_user = {(row.message_id, user_id) for row, user_id, _ in confirmed}
    for row, user_id, device_id in received:
        pointer = rows.pointers[row.group_id, user_id, device_id]
        assert pointer.covers(row.sequence) == ((row.message_id, device_id) in by_device)
        if row.sender_id != user_id:
            own = rows.pointers[row.group_id, user_id, ""]
            assert own.covers(row.sequence) == ((row.message_id, user_id) in by_user)


@hypothesis_settings(deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 9), max_size=4))
def test_when_all_is_confirmed_no_pointer_has_anything_beyond(
    steps: Sequence[tuple[str, int, int, int]], seed: int, cuts: Sequence[int]
) -> None:
    """Nor without a fan-out before, which makes the pointers: a device that has none begins with what its user has."""
    past = Past([*JOINS, *steps])
    rows = Rows(past.rows)
    received = list(past.received())
    random.Random(seed).shuffle(received)
    with memberships(past):
        confirm(rows, received, cuts)
    assert all(pointer.beyond == () for pointer in rows.pointers.values())
    for row, user_id, device_id in received:
        assert rows.pointers[row.group_id, user_id, device_id].covers(row.sequence)
