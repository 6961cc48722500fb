"""Whatever is dropped, doubled or late on the bus: a connection writes its inbox in order, each entry once, to the
last.
"""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.gateway.inbox_cursor import MAX_AHEAD, InboxCursor


def live_cursor(counter: int = 0) -> InboxCursor:
    cursor = InboxCursor()
    cursor.start_live("e1", counter)
    return cursor


def test_pushes_in_order_are_written_as_they_come() -> None:
    cursor = live_cursor()
    assert [cursor.push("e1", number, str(number)) for number in (1, 2, 3)] == [["1"], ["2"], ["3"]]


def test_a_push_that_is_ahead_waits_for_the_one_before_it() -> None:
    cursor = live_cursor()
    assert cursor.push("e1", 2, "2") == []
    assert cursor.behind
    assert not cursor.must_drain
    assert cursor.push("e1", 1, "1") == ["1", "2"]
    assert not cursor.behind


def test_a_push_seen_before_is_dropped() -> None:
    cursor = live_cursor(5)
    assert cursor.push("e1", 5, "5") == []
    assert not cursor.behind


def test_another_epoch_asks_for_a_drain_at_once() -> None:
    cursor = live_cursor(5)
    assert cursor.push("e2", 1, "1") == []
    assert cursor.must_drain


def test_a_push_without_an_epoch_asks_for_a_drain_at_once() -> None:
    cursor = live_cursor(5)
    assert cursor.push("", 0, "") == []
    assert cursor.must_drain
    cursor.begin_drain()
    assert not cursor.must_drain


def test_pages_of_an_earlier_drain_are_ignored() -> None:
    cursor = InboxCursor()
    old = cursor.begin_drain()
    new = cursor.begin_drain()
    assert cursor.page(old, "e1", 0, 3, True, ["a"]) is None
    assert cursor.page(new, "e1", 0, 3, True, ["a"]) == ["a"]
    assert (cursor.epoch, cursor.position, cursor.draining) == ("e1", 3, False)


def test_a_page_that_does_not_join_on_is_ignored() -> None:
    cursor = InboxCursor()
    generation = cursor.begin_drain()
    assert cursor.page(generation, "e1", 0, 3, False, ["a"]) == ["a"]
    assert cursor.page(generation, "e1", 2, 5, False, ["b"]) is None
    assert cursor.page(generation, "e1", 3, 5, True, ["b"]) == ["b"]


def test_pushes_during_a_drain_follow_its_last_page() -> None:
    cursor = InboxCursor()
    generation = cursor.begin_drain()
    assert [cursor.push("e1", number, str(number)) for number in (3, 4, 5)] == [[], [], []]
    assert cursor.page(generation, "e1", 0, 3, True, ["1", "2", "3"]) == ["1", "2", "3", "4", "5"]
    assert cursor.position == 5


def test_the_buffer_of_pushes_is_bounded_and_what_it_drops_is_drained() -> None:
    cursor = InboxCursor()
    generation = cursor.begin_drain()
    for number in range(2, MAX_AHEAD + 10):
        cursor.push("e1", number, str(number))
    written = cursor.page(generation, "e1", 0, 1, True, ["1"])
    assert written == [str(number) for number in range(1, MAX_AHEAD + 2)]
    assert cursor.is_behind("e1", MAX_AHEAD + 9)


def test_a_late_push_of_an_older_epoch_costs_one_more_drain_and_no_second() -> None:
    cursor = InboxCursor()
    generation = cursor.begin_drain()
    cursor.push("e0", 9, "late")
    assert cursor.page(generation, "e1", 0, 3, True, ["a"]) == ["a"]
    assert cursor.must_drain
    generation = cursor.begin_drain()
    assert cursor.page(generation, "e1", 3, 3, True, []) == []
    assert not cursor.behind


@settings(max_examples=300)
@given(st.randoms(use_true_random=False), st.integers(1, 60), st.floats(0, 0.5), st.floats(0, 0.5))
def test_every_entry_is_written_once_and_in_order_whatever_the_bus_does(
    chance: random.Random, entries: int, loss: float, crossing: float
) -> None:
    cursor = InboxCursor()
    written: list[str] = []
    flight: list[tuple[str, int, str]] = []
    stored = 0

    def drain() -> None:
        generation = cursor.begin_drain()
        while cursor.draining:
            after = cursor.position if cursor.epoch == "e1" else 0
            upto = min(stored, after + chance.randint(1, 5))
            frames = [str(number) for number in range(after + 1, upto + 1)]
            last = upto == stored
            if chance.random() < 0.3 and flight:
                written.extend(cursor.push(*flight.pop(0)))
            written.extend(cursor.page(generation, "e1", after, upto, last, frames) or [])

    drain()
    while stored < entries or flight:
        if stored < entries and chance.random() < 0.6:
            stored += 1
            if chance.random() >= loss:
                at = chance.randrange(len(flight) + 1) if flight and chance.random() < crossing else len(flight)
                flight.insert(at, ("e1", stored, str(stored)))
        elif flight:
            written.extend(cursor.push(*flight.pop(0)))
        if cursor.behind and chance.random() < 0.5:
            drain()
    if cursor.behind or cursor.is_behind("e1", stored):
        drain()
    assert written == [str(number) for number in range(1, entries + 1)]
