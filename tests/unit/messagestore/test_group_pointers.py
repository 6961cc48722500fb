"""What a device has confirmed of a group comes out the same however its confirmations come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.messagestore import groups
from apps.messagestore.groups import MAX_BEYOND, GroupPointer

SEQUENCES = st.sets(st.integers(min_value=1, max_value=60), max_size=30)
"""Of a group: what is in the log between them is other people's."""


def pointer(upto: int = 0, *beyond: int) -> GroupPointer:
    return GroupPointer(
        group_id="grp-000000000001", user_id="usr-a", device_id="dev-a1", upto=upto, beyond=tuple(beyond)
    )


@pytest.mark.parametrize(
    ("before", "confirmed", "wanted", "after"),
    [
        pytest.param(pointer(), [], [1, 2], pointer(), id="nothing"),
        pytest.param(pointer(), [1], [1, 2], pointer(1), id="the next one"),
        pytest.param(pointer(), [2], [1, 2], pointer(0, 2), id="one before its turn"),
        pytest.param(pointer(0, 2), [1], [1, 2, 3], pointer(2), id="the gap is closed"),
        pytest.param(pointer(0, 2, 7), [1], [1, 2, 5, 7], pointer(2, 7), id="one of two gaps is closed"),
        pytest.param(pointer(), [30], [10, 20, 30], pointer(0, 30), id="sequences have gaps of their own"),
        pytest.param(
            pointer(0, 30), [10, 20], [10, 20, 30, 40], pointer(30), id="up to what is confirmed, not further"
        ),
        pytest.param(pointer(5, 9), [3, 5], [9], pointer(9), id="what is below was confirmed before"),
        pytest.param(pointer(5), [3], [3, 7], pointer(5), id="it never falls"),
        pytest.param(pointer(0, 4), [1], [1], pointer(1, 4), id="what is not known to be next stays beyond"),
        pytest.param(pointer(0, 2), [2], [1, 2], pointer(0, 2), id="twice is once"),
        pytest.param(pointer(), [3, 1, 2, 3], [1, 2, 3], pointer(3), id="in any order"),
    ],
)
def test_how_a_pointer_is_raised(
    before: GroupPointer, confirmed: list[int], wanted: list[int], after: GroupPointer
) -> None:
    assert before.raised(confirmed, wanted) == after


def test_a_raised_pointer_is_of_the_same_device() -> None:
    assert pointer(0, 3).raised([1], [1, 3]).key == pointer().key == ("grp-000000000001", "usr-a", "dev-a1")


def test_what_is_confirmed_is_covered_and_nothing_else() -> None:
    assert [one for one in range(8) if pointer(3, 5, 6).covers(one)] == [0, 1, 2, 3, 5, 6]


@st.composite
def confirmations(draw: st.DrawFn) -> tuple[list[int], list[int], list[list[int]]]:
    """What is for a device, what of it is confirmed, and that in batches of any order, some of it twice."""
    wanted = sorted(draw(SEQUENCES))
    confirmed = [one for one in wanted if draw(st.booleans())]
    repeated = [one for one in confirmed if draw(st.integers(min_value=0, max_value=3)) == 0]
    left = draw(st.permutations(confirmed + repeated))
    batches: list[list[int]] = []
    while left:
        size = draw(st.integers(min_value=1, max_value=len(left)))
        batches.append(left[:size])
        left = left[size:]
    return wanted, confirmed, batches


@given(confirmations())
def test_the_order_and_the_batches_make_no_difference(drawn: tuple[list[int], list[int], list[list[int]]]) -> None:
    wanted, confirmed, batches = drawn
    raised = pointer()
    for batch in batches:
        # Whoever raises it reads only what is above it.
        raised = raised.raised(batch, [one for one in wanted if one > raised.upto])
    assert raised == pointer().raised(confirmed, wanted)


@given(confirmations())
def test_it_covers_what_was_confirmed_and_passes_nothing_else(
    drawn: tuple[list[int], list[int], list[list[int]]],
) -> None:
    wanted, _, batches = drawn
    raised, confirmed = pointer(), set[int]()
    for batch in batches:
        before, raised = raised, raised.raised(batch, wanted)
        confirmed |= set(batch)
        assert raised.upto >= before.upto
        assert [one for one in wanted if raised.covers(one)] == sorted(confirmed)
        assert list(raised.beyond) == sorted(one for one in confirmed if one > raised.upto)


@given(confirmations(), st.data())
def test_a_look_that_ends_early_loses_nothing(
    drawn: tuple[list[int], list[int], list[list[int]]], data: st.DataObject
) -> None:
    """Who raises it may know what is for the device only as far as the highest that this batch confirms."""
    wanted, confirmed, batches = drawn
    raised = pointer()
    for batch in batches:
        known = max(batch) + data.draw(st.integers(min_value=0, max_value=20))
        raised = raised.raised(batch, [one for one in wanted if raised.upto < one <= known])
    assert [one for one in wanted if raised.covers(one)] == confirmed
    assert raised.raised([], wanted) == pointer().raised(confirmed, wanted)


@given(confirmations(), st.integers(min_value=0, max_value=5))
def test_what_it_holds_beyond_is_bounded(drawn: tuple[list[int], list[int], list[list[int]]], most: int) -> None:
    wanted, confirmed, batches = drawn
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(groups, "MAX_BEYOND", most)
        raised = pointer()
        for batch in batches:
            raised = raised.raised(batch, wanted)
            assert len(raised.beyond) <= most
        assert {one for one in wanted if raised.covers(one)} <= set(confirmed), "what is dropped is not confirmed"
        # Confirmed again, all of it is taken in the end: each time at least what comes first.
        for _ in confirmed:
            raised = raised.raised(confirmed, wanted)
        assert raised.upto == pointer().raised(confirmed, wanted).upto


def test_of_too_many_beyond_the_first_ones_stay() -> None:
    confirmed = range(2, MAX_BEYOND + 100)
    raised = pointer().raised(confirmed, range(1, MAX_BEYOND + 100))
    assert raised == pointer(0, *range(2, MAX_BEYOND + 2))
    assert raised.raised([1], range(1, MAX_BEYOND + 100)).upto == MAX_BEYOND + 1
