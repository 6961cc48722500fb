"""What the groups' side of every Message DB must do. Each adapter runs the whole suite on a real engine."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from apps.messagestore.base import (
    TRACE_KEPT_MS,
    UNDELIVERED_KEPT_MS,
    ClientKey,
    Confirmation,
    MessageStore,
    NewMessage,
    Pointer,
    Standing,
    Trace,
)
from apps.messagestore.groups import GroupEvent, GroupMessages, GroupPointer, GroupProgress, Settlement
from apps.messagestore.history import Window
from apps.protocol.limits import HISTORY_KEPT_MS

GROUP, OTHER, THIRD = "grp-000000000001", "grp-000000000002", "grp-000000000003"
A, B, C = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"
A1, B1, B2 = "dev-aaaaaaaaaaa1", "dev-bbbbbbbbbbb1", "dev-bbbbbbbbbbb2"
NOW = int(time.time() * 1000)
EVENT_KEPT_MS = 30 * 86_400_000
MESSAGE = NewMessage(
    message_id="msg-0000000000000001",
    sender_id=A,
    sender_device=A1,
    client_id="i1",
    digest="d1",
    receiver_id="",
    group_id=GROUP,
    conversation_id=GROUP,
    sequence=1,
    content="hello",
    envelope={"x": 1},
    media={"media_id": "med-1"},
    reply_to="msg-0000000000000000",
    timestamp_ms=NOW,
    sent_at_ms=NOW - 5,
    pending_devices=(),
    own_devices=(),
    history_for=(),
    refusal="",
    members=2,
)
REFUSED = {"refusal": "forbidden", "content": None, "envelope": None, "media": None, "reply_to": None}
WORDS = ("content", "envelope", "media", "reply_to")

ReadRawRow = Callable[[str], Mapping[str, Any]]

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


@pytest.fixture(params=["orm", pytest.param("mongo", marks=pytest.mark.production)])
def store(request: pytest.FixtureRequest) -> MessageStore:
    made: MessageStore = request.getfixturevalue(f"{request.param}_store")
    return made


@pytest.fixture
def groups(store: MessageStore) -> GroupMessages:
    return store.groups


def name(number: int) -> str:
    return f"msg-{number:016x}"


def numbered(number: int, group_id: str = GROUP, **changes: object) -> NewMessage:
    fields = {
        "message_id": name(number),
        "client_id": f"i{number}",
        "sequence": number,
        "timestamp_ms": NOW + number,
        "group_id": group_id,
        "conversation_id": group_id,
    }
    return replace(MESSAGE, **(fields | changes))  # type: ignore[arg-type]


def event(number: int, group_id: str = GROUP, **changes: object) -> NewMessage:
    fields = {
        "message_id": f"evt-{number:016x}",
        "sender_device": "",
        "client_id": f"evt-{number:016x}",
        "digest": "",
        "content": None,
        "envelope": {"kind": "rename", "version": number},
        "media": None,
        "reply_to": None,
        "members": 0,
        "tracked": False,
        "kept_ms": EVENT_KEPT_MS,
    }
    return numbered(number, group_id, **(fields | changes))


def between_two(number: int, **changes: object) -> NewMessage:
    fields = {"receiver_id": B, "conversation_id": "cnv-1", "members": 0, "pending_devices": (B1,)}
    return numbered(number, "", **(fields | changes))


def polled(number: int, group_id: str = GROUP, **changes: object) -> NewMessage:
    fields = {"tracked": False, "polled": True, "history_for": (group_id,), "kept_ms": HISTORY_KEPT_MS}
    return numbered(number, group_id, **(fields | changes))


def pointer(user_id: str, device_id: str, upto: int, *beyond: int, group_id: str = GROUP) -> GroupPointer:
    return GroupPointer(group_id=group_id, user_id=user_id, device_id=device_id, upto=upto, beyond=beyond)


def settle(
    store: MessageStore, number: int, count: int, *, to_all: bool = False, waited: bool = True, at_ms: int = NOW + 100
) -> None:
    settlement = Settlement(message_id=name(number), delivered_count=count, delivered_to_all=to_all, waited_for=waited)
    store.groups.settle([settlement], at_ms)


def standing(store: MessageStore, number: int = 1) -> Standing:
    return store.list_standings([name(number)])[name(number)]


def trace(store: MessageStore, number: int = 1) -> Trace:
    found = store.trace(name(number))
    assert found is not None
    return found


def sequences(rows: Sequence[Any]) -> list[int]:
    return [row.sequence for row in rows]


def by_key(pointers: Sequence[GroupPointer]) -> list[GroupPointer]:
    return sorted(pointers, key=lambda one: one.key)


def at_once(functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call functions in threads with connections of their own; give what they returned."""

    def call(function: Callable[[], Any]) -> Any:
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as threads:
        return [future.result() for future in [threads.submit(call, one) for one in functions]]


# --- Rows ------------------------------------------------------------------------------------------------------------


def test_a_message_to_a_group_is_stored_once_and_waits_for_no_device_by_name(store: MessageStore) -> None:
    assert store.insert_absent([MESSAGE], NOW) == {}
    row = standing(store)
    assert (row.group_id, row.receiver_id, row.conversation_id, row.members) == (GROUP, "", GROUP, 2)
    assert (row.undelivered, row.delivered_count, row.settled_at_ms, row.delivered) == (True, 0, None, False)
    body = store.list_bodies([MESSAGE.message_id])[MESSAGE.message_id]
    assert (body.group_id, body.receiver_id, body.content, body.waited_for) == (GROUP, "", "hello", ())
    assert (body.envelope, body.media, body.reply_to, body.delivered) == (
        {"x": 1},
        {"media_id": "med-1"},
        "msg-0000000000000000",
        False,
    )
    assert trace(store).expires_at_ms == NOW + UNDELIVERED_KEPT_MS


def test_a_second_row_with_the_same_id_is_refused(store: MessageStore) -> None:
    store.insert_absent([MESSAGE, replace(MESSAGE, sequence=9)], NOW)
    settle(store, 1, 1)
    again = store.insert_absent([replace(MESSAGE, sequence=7, content="other"), numbered(2)], NOW + 1)
    assert (again[name(1)].sequence, again[name(1)].delivered_count) == (1, 1)
    assert store.list_bodies([name(1)])[name(1)].content == "hello"


def test_a_second_row_with_the_same_triple_is_refused(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    second = replace(MESSAGE, message_id="msg-00000000000000ff", sequence=9)
    third = replace(MESSAGE, message_id="msg-00000000000000fe", sequence=10)
    found = store.insert_absent([second, third, numbered(2)], NOW)
    assert [found[one.message_id].message_id for one in (second, third)] == [name(1)] * 2
    assert found[second.message_id].group_id == GROUP
    assert store.list_standings([second.message_id, third.message_id]) == {}
    assert sequences(store.groups.list_rows(GROUP, 0, 99, 99)) == [1, 2]


def test_a_message_to_a_group_is_found_by_its_clients_own_id_though_that_names_no_group(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    key = ClientKey(sender_id=A, sender_device=A1, client_id="i1", receiver_id="")
    assert store.list_standings_by_client([key, replace(key, client_id="i2")]) == {key: standing(store)}


def test_a_refused_message_has_no_content_and_nobody_waits_for_it(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, **REFUSED)], NOW)  # type: ignore[arg-type]
    row = standing(store)
    assert (row.refusal, row.undelivered, row.settled_at_ms, row.delivered) == ("forbidden", False, NOW, False)
    assert trace(store).expires_at_ms == NOW + TRACE_KEPT_MS
    assert store.groups.list_rows(GROUP, 0, 9, 9) == []
    assert store.groups.list_waiting({GROUP: 0}) == []


def test_what_nobody_confirms_is_kept_for_the_time_that_it_was_given(store: MessageStore) -> None:
    store.insert_absent([event(1), polled(2)], NOW)
    found = store.list_standings([event(1).message_id, name(2)])
    assert [one.undelivered for one in found.values()] == [False, False]
    kept = store.trace(event(1).message_id)
    assert kept is not None
    assert kept.expires_at_ms == NOW + EVENT_KEPT_MS
    assert trace(store, 2).expires_at_ms == NOW + HISTORY_KEPT_MS
    assert store.groups.list_waiting({GROUP: 0}) == []
    assert store.groups.list_waiting_groups("", 9) == []


def test_rows_come_in_the_groups_order_between_two_sequences(store: MessageStore, groups: GroupMessages) -> None:
    rows = [numbered(number) for number in (5, 2, 4, 1)]
    store.insert_absent([*rows, event(3), numbered(6, OTHER), between_two(7)], NOW)
    found = groups.list_rows(GROUP, 0, 99, 99)
    assert sequences(found) == [1, 2, 3, 4, 5]
    assert [row.is_event for row in found] == [False, False, True, False, False]
    first = found[0]
    assert (first.message_id, first.group_id, first.sender_id, first.sender_device) == (name(1), GROUP, A, A1)
    assert (first.timestamp_ms, first.undelivered, first.delivered_count) == (NOW + 1, True, 0)
    assert sequences(groups.list_rows(GROUP, 1, 4, 99)) == [2, 3, 4]
    assert sequences(groups.list_rows(GROUP, 1, 4, 2)) == [2, 3]
    assert groups.list_rows(GROUP, 5, 99, 99) == groups.list_rows(GROUP, 4, 4, 99) == groups.list_rows(GROUP, 5, 2, 9)
    assert groups.list_rows("", 0, 99, 99) == [], "what is between two people is of no group"


def test_rows_that_are_polled_or_refused_are_not_pushed(store: MessageStore, groups: GroupMessages) -> None:
    store.insert_absent([numbered(1), polled(2), numbered(3, **REFUSED), event(4, polled=True), numbered(5)], NOW)
    assert sequences(groups.list_rows(GROUP, 0, 99, 99)) == [1, 5]


def test_what_was_delivered_to_all_is_still_a_row_of_its_group(store: MessageStore, groups: GroupMessages) -> None:
    store.insert_absent([numbered(1), numbered(2)], NOW)
    settle(store, 1, 2, to_all=True, waited=False)
    assert [(row.sequence, row.undelivered, row.delivered_count) for row in groups.list_rows(GROUP, 0, 9, 9)] == [
        (1, False, 2),
        (2, True, 0),
    ]


def test_what_waits_comes_by_group_and_sequence(store: MessageStore, groups: GroupMessages) -> None:
    rows = [numbered(3, OTHER), numbered(2), numbered(1, OTHER), numbered(4), numbered(5)]
    store.insert_absent([*rows, event(6), polled(7), numbered(8, **REFUSED), between_two(9)], NOW)
    settle(store, 2, 2, to_all=True, waited=False)
    settle(store, 4, 2, to_all=True)
    found = groups.list_waiting({OTHER: 0, GROUP: 0, THIRD: 0})
    assert [(row.group_id, row.sequence) for row in found] == [(GROUP, 4), (GROUP, 5), (OTHER, 1), (OTHER, 3)]
    assert groups.list_waiting({}) == groups.list_waiting({THIRD: 0}) == []


def test_what_waits_is_listed_above_a_sequence_of_each_group(store: MessageStore, groups: GroupMessages) -> None:
    store.insert_absent([numbered(number, (GROUP, OTHER, THIRD)[number % 3]) for number in range(1, 10)], NOW)
    assert sequences(groups.list_waiting({GROUP: 3})) == [6, 9]
    assert sequences(groups.list_waiting({OTHER: 6})) == [7]
    assert sequences(groups.list_waiting({GROUP: 9, OTHER: 1, THIRD: 5})) == [4, 7, 8]
    many = {f"grp-ff{number:010x}": 0 for number in range(1, 1_500)}
    assert sequences(groups.list_waiting({**many, OTHER: 4})) == [7]


def test_groups_with_something_that_waits_come_in_pages(store: MessageStore, groups: GroupMessages) -> None:
    assert groups.list_waiting_groups("", 9) == []
    waiting = [numbered(number, group_id) for number, group_id in enumerate([THIRD, GROUP, OTHER, GROUP, THIRD], 1)]
    store.insert_absent([*waiting, between_two(8), polled(9, "grp-000000000009")], NOW)
    assert groups.list_waiting_groups("", 9) == [GROUP, OTHER, THIRD]
    assert groups.list_waiting_groups("", 2) == [GROUP, OTHER]
    assert groups.list_waiting_groups(OTHER, 2) == [THIRD]
    settle(store, 3, 2, to_all=True, waited=False)
    assert groups.list_waiting_groups(GROUP, 9) == [THIRD]


def test_the_sweep_of_what_is_between_two_people_leaves_groups_out(store: MessageStore) -> None:
    store.insert_absent([numbered(1), between_two(2), numbered(3, OTHER), between_two(4)], NOW)
    assert sequences(store.list_waiting_page(("", ""), 1, NOW + 1)) == [2]
    assert sequences(store.list_waiting_page(("", ""), 9, NOW + 1)) == [2, 4]
    assert sequences(store.list_waiting_page((B, name(2)), 9, NOW + 1)) == [4]


def test_what_is_particular_to_two_people_leaves_groups_alone(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    settle(store, 1, 2, to_all=True)
    before = trace(store)
    confirmations = [
        Confirmation(message_id=name(1), user_id=user, device_id=B1, by_receiver=by_receiver, at_ms=NOW + 200)
        for user in (A, B, "")
        for by_receiver in (True, False)
    ]
    store.confirm(confirmations)
    assert store.adopt_undelivered(B, B1, NOW) == store.adopt_undelivered("", B1, NOW) == 0
    assert store.list_pending(B, B1, NOW) == store.list_pending("", B1, NOW) == []
    assert store.release_device(B, B1, NOW) == 0
    # Nor is it taken for one that a crash left to be finished: its row does not tell that somebody waits.
    store.list_standings([name(1)])
    store.list_waiting_page(("", ""), 9, NOW + 1)
    assert trace(store) == before
    assert store.list_bodies([name(1)])[name(1)].content == "hello"


# --- Events ----------------------------------------------------------------------------------------------------------


def test_events_since_a_time_come_by_group_and_sequence(store: MessageStore, groups: GroupMessages) -> None:
    store.insert_absent([event(1), event(4)], NOW)
    store.insert_absent([event(5), event(2, OTHER), event(3), event(6, polled=True), numbered(7)], NOW + 50)
    assert groups.list_events([OTHER, GROUP, THIRD], NOW + 50)[0] == GroupEvent(
        event_id=event(3).message_id,
        group_id=GROUP,
        sequence=3,
        timestamp_ms=NOW + 3,
        facts={"kind": "rename", "version": 3},
    )
    found = groups.list_events([OTHER, GROUP, THIRD], NOW + 50)
    assert [(one.group_id, one.sequence) for one in found] == [(GROUP, 3), (GROUP, 5), (GROUP, 6), (OTHER, 2)]
    assert sequences(groups.list_events([GROUP], NOW)) == [1, 3, 4, 5, 6]
    assert groups.list_events([], 0) == groups.list_events([GROUP], NOW + 51) == []


def test_events_are_found_by_id(store: MessageStore, groups: GroupMessages) -> None:
    store.insert_absent([event(1), event(2, OTHER)], NOW)
    wanted = [event(2).message_id, event(1).message_id, "evt-00000000000000ff"]
    found = groups.list_events_by_id(wanted)
    assert {one: (each.group_id, each.facts["version"]) for one, each in found.items()} == {
        event(1).message_id: (GROUP, 1),
        event(2).message_id: (OTHER, 2),
    }
    assert groups.list_events_by_id([]) == {}


def test_an_event_twice_is_one(store: MessageStore, groups: GroupMessages) -> None:
    store.insert_absent([event(1)], NOW)
    found = store.insert_absent([replace(event(1), sequence=9, envelope={"kind": "other"})], NOW + 1)
    assert found[event(1).message_id].sequence == 1
    assert groups.list_events([GROUP], 0)[0].facts["kind"] == "rename"


# --- Groups that are polled ------------------------------------------------------------------------------------------


def test_polled_messages_come_from_a_place_or_a_time_on(store: MessageStore, groups: GroupMessages) -> None:
    rows = [polled(number) for number in (4, 1, 3, 2)]
    others = [numbered(5), event(6, polled=True), polled(7, **REFUSED), polled(8, OTHER)]
    store.insert_absent([*rows, *others], NOW)
    assert groups.list_polled(GROUP, after=0, since_ms=0, limit=9) == [name(one) for one in (1, 2, 3, 4)]
    assert groups.list_polled(GROUP, after=1, since_ms=0, limit=2) == [name(2), name(3)]
    assert groups.list_polled(GROUP, after=0, since_ms=NOW + 3, limit=9) == [name(3), name(4)]
    assert groups.list_polled(GROUP, after=4, since_ms=0, limit=9) == []
    assert groups.list_last_polled(GROUP, 3) == [name(4), name(3), name(2)]
    assert groups.list_last_polled(GROUP, 9) == [name(one) for one in (4, 3, 2, 1)]
    assert groups.list_last_polled(THIRD, 9) == groups.list_last_polled("", 9) == []


# --- How far a group is fanned out -----------------------------------------------------------------------------------


def test_how_far_a_group_is_only_rises(groups: GroupMessages) -> None:
    assert groups.list_progress([GROUP]) == {}
    groups.raise_fanned(GROUP, 3)
    assert groups.list_progress([GROUP]) == {}, "nothing of it was stored"
    groups.raise_stored({GROUP: 5, OTHER: 2})
    groups.raise_stored({GROUP: 4})
    groups.raise_stored({})
    assert groups.list_progress([GROUP, OTHER, THIRD]) == {
        GROUP: GroupProgress(group_id=GROUP, stored_upto=5, fanned_upto=0),
        OTHER: GroupProgress(group_id=OTHER, stored_upto=2, fanned_upto=0),
    }
    groups.raise_fanned(GROUP, 4)
    groups.raise_fanned(GROUP, 3)
    groups.raise_stored({GROUP: 5})
    assert groups.list_progress([GROUP])[GROUP] == GroupProgress(group_id=GROUP, stored_upto=5, fanned_upto=4)


def test_groups_with_rows_to_fan_out_are_found(groups: GroupMessages) -> None:
    groups.raise_stored({GROUP: 5, OTHER: 2, THIRD: 7})
    assert sorted(groups.list_behind(9)) == [GROUP, OTHER, THIRD]
    assert len(groups.list_behind(2)) == 2
    groups.raise_fanned(GROUP, 4)
    groups.raise_fanned(OTHER, 2)
    groups.raise_fanned(THIRD, 9)
    assert groups.list_behind(9) == [GROUP]
    groups.raise_fanned(GROUP, 5)
    groups.raise_stored({GROUP: 5, OTHER: 2, THIRD: 8})
    assert groups.list_behind(9) == [], "what is stored had been fanned out before that was noted"
    groups.raise_stored({THIRD: 10})
    assert groups.list_behind(9) == [THIRD]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_raised_in_whatever_order_those_behind_are_found(groups: GroupMessages, seed: int) -> None:
    drawn = random.Random(seed)
    stored: dict[str, int] = {}
    fanned: dict[str, int] = {}
    for _ in range(60):
        group_id, upto = drawn.choice([GROUP, OTHER]), drawn.randint(1, 20)
        if drawn.random() < 0.5:
            groups.raise_stored({group_id: upto})
            stored[group_id] = max(upto, stored.get(group_id, 0))
        else:
            groups.raise_fanned(group_id, upto)
            if group_id in stored:
                fanned[group_id] = max(upto, fanned.get(group_id, 0))
        found = groups.list_progress([GROUP, OTHER])
        assert {one: each.stored_upto for one, each in found.items()} == stored
        assert {one: each.fanned_upto for one, each in found.items() if each.fanned_upto} == fanned
        assert set(groups.list_behind(9)) == {one for one in stored if fanned.get(one, 0) < stored[one]}


def test_of_raises_at_once_the_highest_stands(groups: GroupMessages) -> None:
    at_once([lambda start=start: raise_each(groups, range(start, 40, 4)) for start in range(4)])
    assert groups.list_progress([GROUP])[GROUP] == GroupProgress(group_id=GROUP, stored_upto=39, fanned_upto=38)
    assert groups.list_behind(9) == [GROUP]
    groups.raise_fanned(GROUP, 39)
    assert groups.list_behind(9) == []


def raise_each(groups: GroupMessages, numbers: Sequence[int]) -> None:
    for number in reversed(numbers):
        groups.raise_stored({GROUP: number})
        groups.raise_fanned(GROUP, min(number, 38))


# --- Pointers --------------------------------------------------------------------------------------------------------


def test_a_pointer_is_made_once_and_stays_as_it_is(groups: GroupMessages) -> None:
    own, device = pointer(B, "", 3), pointer(B, B1, 2, 5, 2**53 + 1)
    groups.add_pointers([own, device])
    groups.add_pointers([pointer(B, B1, 99), pointer(B, B2, 7), pointer(B, B2, 8)])
    groups.add_pointers([])
    assert by_key(groups.list_pointers([GROUP])) == [own, device, pointer(B, B2, 7)]


def test_pointers_are_of_groups_or_of_some_of_their_users(groups: GroupMessages) -> None:
    made = [
        pointer(user, device, number, group_id=group_id)
        for group_id in (GROUP, OTHER, THIRD)
        for number, (user, device) in enumerate([(A, ""), (A, A1), (B, ""), (B, B1), (C, "")])
    ]
    groups.add_pointers(made)
    assert by_key(groups.list_pointers([GROUP, THIRD])) == [one for one in made if one.group_id != OTHER]
    some = groups.list_pointers([GROUP, OTHER], [A, C, "usr-dddddddddddd"])
    assert by_key(some) == [one for one in made if one.group_id != THIRD and one.user_id != B]
    assert groups.list_pointers([], [A]) == groups.list_pointers([GROUP], []) == groups.list_pointers([]) == []


def test_a_pointer_changes_only_where_it_stands_as_it_was_read(groups: GroupMessages) -> None:
    read = [pointer(A, "", 1), pointer(B, "", 1, 3, 5), pointer(B, B1, 1)]
    groups.add_pointers(read)
    changed = [pointer(A, "", 1, 4), pointer(B, "", 5), pointer(B, B1, 2)]
    assert groups.change_pointers([]) == 0
    assert groups.change_pointers(list(zip(read, changed, strict=True))) == 0
    assert by_key(groups.list_pointers([GROUP])) == changed
    stale = [
        (pointer(A, "", 1), pointer(A, "", 9)),
        (pointer(A, "", 1, 4, 5), pointer(A, "", 9)),
        (pointer(B, "", 1, 3, 5), pointer(B, "", 9)),
        (pointer(C, "", 0), pointer(C, "", 9)),
        (pointer(B, B1, 2), pointer(B, B1, 3)),
    ]
    assert groups.change_pointers(stale) == 4, "all but the last one"
    assert by_key(groups.list_pointers([GROUP])) == [*changed[:2], pointer(B, B1, 3)]


def test_of_changes_at_once_one_counts(groups: GroupMessages) -> None:
    groups.add_pointers([pointer(B, B1, 0)])
    missed = at_once(
        [lambda upto=upto: groups.change_pointers([(pointer(B, B1, 0), pointer(B, B1, upto))]) for upto in (1, 2, 3, 4)]
    )
    assert sorted(missed) == [0, 1, 1, 1]
    assert groups.list_pointers([GROUP]) == [pointer(B, B1, 1 + missed.index(0))]


def test_a_pointer_made_at_once_by_several_is_one(groups: GroupMessages) -> None:
    made = [pointer(f"usr-{number:012x}", "", 0) for number in range(20)]
    at_once([lambda: groups.add_pointers(made), lambda: groups.add_pointers(list(reversed(made)))])
    assert by_key(groups.list_pointers([GROUP])) == made


def test_a_group_may_have_many_pointers(groups: GroupMessages) -> None:
    made = [pointer(f"usr-{number:012x}", "", number, *range(number + 2, number + 5)) for number in range(1_300)]
    groups.add_pointers(made)
    changes = [(one, replace(one, upto=one.upto + 9, beyond=())) for one in made]
    assert groups.change_pointers(changes) == 0
    assert by_key(groups.list_pointers([GROUP], [one.user_id for one in made])) == [new for _, new in changes]


def test_a_devices_pointers_go_with_it(groups: GroupMessages) -> None:
    others = [pointer(B, "", 1), pointer(B, B2, 1), pointer(C, B1, 1)]
    groups.add_pointers([*others, pointer(B, B1, 1), pointer(B, B1, 1, group_id=OTHER)])
    assert sorted(groups.remove_pointers(B, B1)) == [GROUP, OTHER]
    assert groups.remove_pointers(B, B1) == []
    assert groups.remove_pointers(B, "") == [], "what the user has is no device's"
    assert by_key(groups.list_pointers([GROUP, OTHER])) == by_key(others)


# --- How messages stand ----------------------------------------------------------------------------------------------


def test_counts_never_go_down_and_tell_when_they_grew(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    settle(store, 1, 0)
    assert (standing(store).delivered_count, standing(store).settled_at_ms) == (0, None)
    settle(store, 1, 2, at_ms=NOW + 100)
    for count in (1, 2, 0):
        settle(store, 1, count, at_ms=NOW + 200)
        row = standing(store)
        assert (row.delivered_count, row.settled_at_ms, row.undelivered) == (2, NOW + 100, True)
    settle(store, 1, 3, at_ms=NOW + 300)
    assert (standing(store).delivered_count, standing(store).settled_at_ms) == (3, NOW + 300)


def test_what_all_have_is_delivered_and_stays_so(store: MessageStore) -> None:
    store.insert_absent([numbered(1), numbered(2)], NOW)
    settle(store, 1, 2, to_all=True)
    settle(store, 1, 2)
    settle(store, 2, 1)
    settle(store, 2, 1, to_all=True, at_ms=NOW + 200)
    rows = [standing(store, number) for number in (1, 2)]
    assert [(row.undelivered, row.delivered, row.delivered_count) for row in rows] == [
        (False, True, 2),
        (False, True, 1),
    ]
    assert rows[1].settled_at_ms == NOW + 100, "nobody has it who did not have it then"
    assert store.list_bodies([name(1)])[name(1)].delivered, "and its words stay for those who are waited for"
    assert sequences(store.groups.list_waiting({GROUP: 0})) == [1, 2]


def test_what_nobody_waits_for_or_keeps_is_stripped_at_once(store: MessageStore, read_raw_row: ReadRawRow) -> None:
    store.insert_absent([numbered(1), numbered(2), numbered(3, history_for=(B,))], NOW)
    before = read_raw_row(name(1))
    assert [bool(before.get(one)) for one in WORDS] == [True] * 4
    for number in (1, 2, 3):
        settle(store, number, 1)
    assert len(store.list_bodies([name(number) for number in (1, 2, 3)])) == 3
    settle(store, 1, 2, to_all=True, waited=False, at_ms=NOW + 200)
    settle(store, 3, 2, to_all=True, waited=False, at_ms=NOW + 200)
    row = read_raw_row(name(1))
    assert [row.get(one) for one in WORDS] == [None] * 4
    way = trace(store)
    assert (way.stripped_at_ms, way.expires_at_ms) == (NOW + 200, NOW + 200 + TRACE_KEPT_MS)
    assert (way.standing.undelivered, way.standing.delivered_count, way.standing.settled_at_ms) == (False, 2, NOW + 200)
    assert sorted(store.list_bodies([name(number) for number in (1, 2, 3)])) == [name(2), name(3)]
    assert sequences(store.groups.list_waiting({GROUP: 0})) == [2]


def test_history_keeps_the_content_for_ninety_days_from_when_nobody_waits(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, history_for=(B,))], NOW)
    settle(store, 1, 2, to_all=True, at_ms=NOW + 100)
    assert trace(store).expires_at_ms == NOW + UNDELIVERED_KEPT_MS
    settle(store, 1, 2, to_all=True, waited=False, at_ms=NOW + 200)
    settle(store, 1, 2, to_all=True, waited=False, at_ms=NOW + 900)
    way = trace(store)
    assert (way.expires_at_ms, way.stripped_at_ms) == (NOW + 200 + HISTORY_KEPT_MS, None)
    assert store.list_bodies([name(1)])[name(1)].content == "hello"
    assert store.groups.list_waiting({GROUP: 0}) == []


def test_what_is_settled_for_good_changes_no_more(store: MessageStore, groups: GroupMessages) -> None:
    store.insert_absent(
        [
            numbered(1),
            numbered(2, history_for=(B,)),
            numbered(3, **REFUSED),
            polled(4),
            between_two(5),
            event(6),
        ],
        NOW,
    )
    for number in (1, 2):
        settle(store, number, 2, to_all=True, waited=False)
    ids = [*(name(number) for number in range(1, 6)), event(6).message_id, name(99)]
    before = {one: store.trace(one) for one in ids}
    for waited in (True, False):
        groups.settle(
            [
                Settlement(message_id=one, delivered_count=9, delivered_to_all=True, waited_for=waited)
                for one in reversed(ids)
            ],
            NOW + 900,
        )
    assert {one: store.trace(one) for one in ids} == before
    assert sequences(groups.list_events([GROUP], 0)) == [6]


def test_many_messages_are_settled_together(store: MessageStore, groups: GroupMessages) -> None:
    numbers = range(1, 1_201)
    rows = [numbered(number, history_for=(B,) if number % 3 == 0 else ()) for number in numbers]
    store.insert_absent(rows, NOW)
    settlements = [
        Settlement(
            message_id=name(number),
            delivered_count=number % 5,
            delivered_to_all=number % 5 == 4,
            waited_for=number % 2 == 0,
        )
        for number in numbers
    ]
    for _ in range(2):
        groups.settle(settlements, NOW + 100)
    groups.settle([], NOW + 100)
    found = store.list_standings([name(number) for number in numbers])
    assert [found[name(number)].delivered_count for number in numbers] == [number % 5 for number in numbers]
    assert [found[name(number)].undelivered for number in numbers] == [number % 5 != 4 for number in numbers]
    assert sequences(groups.list_waiting({GROUP: 0})) == [number for number in numbers if number % 2 == 0]
    bodies = store.list_bodies([name(number) for number in numbers])
    assert set(bodies) == {name(number) for number in numbers if number % 2 == 0 or number % 3 == 0}


def test_counts_at_once_end_with_the_highest_and_what_is_stripped_stays_so(store: MessageStore) -> None:
    numbers = range(1, 21)
    store.insert_absent([numbered(number) for number in numbers], NOW)

    def settle_all(count: int, *, waited: bool) -> None:
        for number in numbers:
            settle(store, number, count, to_all=not waited, waited=waited)

    at_once(
        [lambda: settle_all(1, waited=True), lambda: settle_all(2, waited=False), lambda: settle_all(2, waited=True)]
    )
    ids = [name(number) for number in numbers]
    assert {(row.delivered_count, row.undelivered) for row in store.list_standings(ids).values()} == {(2, False)}
    assert store.list_bodies(ids) == {}
    assert store.groups.list_waiting({GROUP: 0}) == []


def test_senders_find_counts_that_grew_since_a_time(store: MessageStore) -> None:
    store.insert_absent([numbered(1), numbered(2), numbered(3, sender_id=B)], NOW)
    settle(store, 2, 1, at_ms=NOW + 50)
    settle(store, 1, 1, at_ms=NOW + 40)
    settle(store, 1, 2, at_ms=NOW + 60)
    settle(store, 3, 1, at_ms=NOW + 60)
    found = store.list_settled_since(A, NOW + 50)
    assert [(row.sequence, row.delivered_count, row.members) for row in found] == [(2, 1, 2), (1, 2, 2)]


def test_replays_bring_no_words_back(store: MessageStore, read_raw_row: ReadRawRow) -> None:
    store.insert_absent([MESSAGE], NOW)
    settle(store, 1, 2, to_all=True, waited=False)
    later = replace(MESSAGE, history_for=(A, B), members=7)
    for again in (MESSAGE, later, replace(later, message_id="msg-00000000000000ff", sequence=9)):
        store.insert_absent([again], NOW + 500)
    row = read_raw_row(name(1))
    assert [row.get(one) for one in WORDS] == [None] * 4
    assert (standing(store).delivered_count, standing(store).members, standing(store).undelivered) == (2, 2, False)
    assert sequences(store.groups.list_rows(GROUP, 0, 99, 9)) == [1]


def test_stripped_rows_of_groups_are_purged_in_their_time(store: MessageStore) -> None:
    store.insert_absent([numbered(1), numbered(2), event(3)], NOW)
    settle(store, 1, 2, to_all=True, waited=False)
    assert store.purge_expired(NOW + 99 + TRACE_KEPT_MS, 9) == 0
    assert store.purge_expired(NOW + 100 + TRACE_KEPT_MS, 9) == 1
    assert store.purge_expired(NOW + EVENT_KEPT_MS, 9) == 1
    assert sequences(store.groups.list_rows(GROUP, 0, 9, 9)) == [2]


# --- History ---------------------------------------------------------------------------------------------------------


def window(keeper: str, **changes: Any) -> Window:
    return replace(Window(keeper_id=keeper, now_ms=NOW + 1_000, limit=100, group_ids=(GROUP, OTHER)), **changes)


def test_a_groups_history_is_for_those_who_keep_it(store: MessageStore) -> None:
    store.insert_absent(
        [
            numbered(1, history_for=(A, B)),
            numbered(2, sender_id=C, history_for=(A,)),
            numbered(3),
            event(4),
            numbered(5, OTHER, history_for=(A, B)),
            numbered(6, sender_id=B, history_for=(A, B)),
            numbered(7, **REFUSED),
            polled(8),
        ],
        NOW,
    )
    settle(store, 1, 2, to_all=True, waited=False)
    settle(store, 3, 2, to_all=True, waited=False)
    history = store.history
    assert sequences(history.list_messages(GROUP, window(A))) == [6, 2, 1]
    assert sequences(history.list_messages(GROUP, window(B))) == [6, 1]
    assert sequences(history.list_messages(GROUP, window(B, group_ids=()))) == [6, 1], "the group is named"
    assert sequences(history.list_messages(GROUP, window(A, limit=2), below=6)) == [2, 1]
    assert sequences(history.list_messages(GROUP, window(A, after_ms=NOW + 1, until_ms=NOW + 2))) == [2]
    assert sequences(history.list_messages(GROUP, window(GROUP))) == [8], "what is polled, the group keeps for all"
    assert history.list_messages(GROUP, window(C)) == []
    first = history.list_messages(GROUP, window(B))[-1]
    assert (first.group_id, first.content, first.delivered) == (GROUP, "hello", True)


def test_conversations_with_groups_come_with_their_last_message_and_what_is_unread(store: MessageStore) -> None:
    store.insert_absent(
        [
            numbered(1, history_for=(A, B)),
            numbered(2, sender_id=B, history_for=(A, B)),
            numbered(3, sender_id=C, history_for=(B,)),
            numbered(4, sender_id=C, history_for=(A,)),
            between_two(5, history_for=(A, B)),
            numbered(6, OTHER, sender_id=C, history_for=(B,)),
            numbered(7, THIRD, sender_id=C, history_for=(B,)),
            numbered(8, OTHER, sender_id=C, history_for=(A,)),
            numbered(9, sender_id=B, history_for=(B,)),
        ],
        NOW,
    )
    read = Pointer(conversation_id=GROUP, reader_id=B, peer_id=A, message_id=name(1), sequence=1, read_at_ms=NOW)
    store.raise_pointers([read])

    def listed(keeper: str, **changes: Any) -> list[tuple[str, int, int]]:
        found = store.history.list_conversations(window(keeper, **changes))
        return [(one.last.conversation_id, one.last.sequence, one.unread) for one in found]

    assert listed(B) == [(GROUP, 9, 1), (OTHER, 6, 1), ("cnv-1", 5, 1)]
    assert listed(A) == [(OTHER, 8, 1), ("cnv-1", 5, 0), (GROUP, 4, 2)]
    assert listed(B, group_ids=()) == [("cnv-1", 5, 1)], "nor what they wrote themselves in a group not asked for"
    assert listed(B, group_ids=(OTHER, THIRD)) == [(THIRD, 7, 1), (OTHER, 6, 1), ("cnv-1", 5, 1)]
    assert listed(C) == []
    (first,) = store.history.list_conversations(window(B, limit=1))
    rest = store.history.list_conversations(window(B), before=(first.at_ms, first.last.conversation_id))
    assert [one.last.conversation_id for one in rest] == [OTHER, "cnv-1"]


def test_forgetting_takes_groups_along(store: MessageStore, read_raw_row: ReadRawRow) -> None:
    store.insert_absent(
        [
            numbered(1, history_for=(B,)),
            numbered(2, history_for=(A, B)),
            numbered(3, history_for=(B,)),
            numbered(4, sender_id=B, history_for=(B,)),
            between_two(5, history_for=(B,)),
            numbered(6, OTHER, history_for=(B,)),
            numbered(7, THIRD, history_for=(B,)),
            numbered(8, history_for=(B,), timestamp_ms=NOW + 800),
        ],
        NOW,
    )
    for number in (1, 2, 4, 6, 7, 8):
        settle(store, number, 2, to_all=True, waited=False)
    forgotten = 0
    while count := store.history.forget(window(B, limit=2, until_ms=NOW + 500)):
        forgotten += count
    assert forgotten == 6, "neither what came later, nor the third group"
    stripped = [number for number in range(1, 9) if trace(store, number).stripped_at_ms == NOW + 1_000]
    assert stripped == [1, 4, 6]
    assert [bool(read_raw_row(name(number)).get("content")) for number in (1, 2, 3)] == [False, True, True]
    assert trace(store, 2).history_for == (A,)
    assert trace(store, 1).expires_at_ms == NOW + 1_000 + TRACE_KEPT_MS
    settle(store, 3, 2, to_all=True, waited=False, at_ms=NOW + 2_000)
    assert trace(store, 3).stripped_at_ms == NOW + 2_000, "it waited for somebody until then"


# --- Personal data ---------------------------------------------------------------------------------------------------


def test_erasing_a_person_takes_their_pointers_and_what_they_wrote(store: MessageStore) -> None:
    store.insert_absent([numbered(1), numbered(2, sender_id=B), numbered(3, OTHER), event(4)], NOW)
    others = [pointer(B, "", 1), pointer(B, B1, 1)]
    store.groups.add_pointers([*others, pointer(A, "", 1), pointer(A, A1, 1), pointer(A, "", 1, group_id=OTHER)])
    assert store.personal_data.count_messages(A) == len(store.personal_data.list_messages(A, "", 9)) == 2
    assert store.personal_data.erase(A, 9) == 2
    assert store.personal_data.erase(A, 9) == 0
    assert by_key(store.groups.list_pointers([GROUP, OTHER])) == others
    assert sequences(store.groups.list_rows(GROUP, 0, 9, 9)) == [2, 4], "what happened to the group is the group's"


# --- Speed -----------------------------------------------------------------------------------------------------------


def test_no_read_walks_over_all_messages(orm_store: MessageStore) -> None:
    groups, mine, database = orm_store.groups, window(B), connections["messages"]
    with CaptureQueriesContext(database) as captured:
        groups.list_behind(9)
        groups.list_progress([GROUP])
        groups.list_rows(GROUP, 0, 9, 9)
        groups.list_waiting({GROUP: 0, OTHER: 0})
        groups.list_waiting_groups("", 9)
        groups.list_events([GROUP, OTHER], NOW)
        groups.list_events_by_id([event(1).message_id])
        groups.list_pointers([GROUP])
        groups.list_pointers([GROUP], [A, B])
        groups.remove_pointers(B, B1)
        groups.list_polled(GROUP, after=0, since_ms=0, limit=9)
        groups.list_last_polled(GROUP, 9)
        orm_store.history.list_messages(GROUP, mine)
        orm_store.history.list_conversations(mine)
        orm_store.history.forget(mine)
        orm_store.list_waiting_page(("", ""), 9, NOW)
    asked = [one["sql"] for one in captured if one["sql"].startswith(("SELECT", "WITH"))]
    assert len(asked) == 16
    for statement in asked:
        plan = explain(statement)
        assert any(" INDEX " in step.upper() for step in plan), (statement, plan)
        assert not any("Seq Scan" in step or step.startswith("SCAN message") for step in plan), (statement, plan)


def explain(statement: str) -> list[str]:
    """Return the steps by which the engine would carry a query out; PostgreSQL, with tables that are not empty."""
    on_postgresql = connections["messages"].vendor == "postgresql"
    with connections["messages"].cursor() as cursor:
        if on_postgresql:
            cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}" if on_postgresql else f"EXPLAIN QUERY PLAN {statement}")
        plan = [str(step[-1]) for step in cursor.fetchall()]
        if on_postgresql:
            cursor.execute("RESET enable_seqscan")
    return plan
