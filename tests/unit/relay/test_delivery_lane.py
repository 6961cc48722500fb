"""The lane behind the store: in order, patient with a cache that is down, and never stopped by one bad change."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from apps.inbox.inbox import Change
from apps.relay import delivery_lane
from apps.relay.delivery_lane import DeliveryLane


def change(number: int) -> Change:
    return Change(kind="put", user_id="usr-aaaaaaaaaaaa", device_id="dev-1", member=str(number))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_lane, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(delivery_lane, "LONGEST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(delivery_lane, "PLACE_SECONDS", 0.05)


def run(batches: Sequence[Sequence[int]], deliver: Callable[[Sequence[Change]], object]) -> tuple[list[int], list[str]]:
    """Deliver batches of changes; returns the numbers of the batches that are done and the members given up."""
    given_up: list[str] = []
    done: list[int] = []
    lane = DeliveryLane(deliver, lambda lost: given_up.append(lost.member))
    for position, numbers in enumerate(batches, 1):
        while not lane.submit([change(number) for number in numbers], partial(done.append, position)):
            pass
    lane.close(5.0)
    return done, given_up


def test_batches_are_delivered_and_done_in_their_order() -> None:
    delivered: list[str] = []
    done, _ = run([[1, 2], [3], [], [4]], lambda changes: delivered.extend(one.member for one in changes))
    assert delivered == ["1", "2", "3", "4"]
    assert done == [1, 2, 3, 4]


def test_while_the_cache_is_down_the_batch_waits() -> None:
    failures = 5
    delivered: list[str] = []

    def deliver(changes: Sequence[Change]) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ConnectionError
        delivered.extend(one.member for one in changes)

    done, given_up = run([[1], [2]], deliver)
    assert (delivered, done, given_up) == (["1", "2"], [1, 2], [])


def test_a_change_that_cannot_be_delivered_is_given_up_alone() -> None:
    delivered: list[str] = []

    def deliver(changes: Sequence[Change]) -> None:
        if any(one.member == "7" for one in changes):
            raise RuntimeError("no")
        delivered.extend(one.member for one in changes)

    done, given_up = run([list(range(10)), [10]], deliver)
    assert (given_up, done) == (["7"], [1, 2])
    assert delivered == [str(number) for number in range(11) if number != 7]


def test_only_one_batch_waits_behind_the_one_under_way() -> None:
    gate, under_way = threading.Event(), threading.Event()

    def deliver(changes: Sequence[Change]) -> None:
        under_way.set()
        gate.wait(5)

    done: list[int] = []
    lane = DeliveryLane(deliver, lambda lost: None)
    assert lane.submit([change(1)], partial(done.append, 1))
    assert under_way.wait(5)
    assert lane.submit([change(2)], partial(done.append, 2))
    assert not lane.submit([change(3)], partial(done.append, 3))
    gate.set()
    lane.close(5.0)
    assert done == [1, 2]


def test_giving_up_waits_for_the_cache_too() -> None:
    tries: list[str] = []

    def give_up(lost: Change) -> None:
        tries.append(lost.member)
        if len(tries) < 3:
            raise ConnectionError

    def deliver(changes: Sequence[Change]) -> None:
        raise RuntimeError("never")

    done: list[int] = []
    lane = DeliveryLane(deliver, give_up)
    lane.submit([change(1)], partial(done.append, 1))
    lane.close(5.0)
    assert (tries, done) == (["1"] * 3, [1])


def test_what_was_not_delivered_before_the_end_is_not_done() -> None:
    def deliver(changes: Sequence[Change]) -> None:
        raise ConnectionError

    done: list[int] = []
    lane = DeliveryLane(deliver, lambda lost: None)
    lane.submit([change(1)], partial(done.append, 1))
    lane.close(0.1)
    assert done == []
