"""A plan is drawn from its seed and from nothing else."""

import itertools
from collections import Counter

import pytest

from tests.faults.plan import BURST_SIZES, MOST_DEVICES, STEPS_PER_SECOND, Act, make_plan

SOME = 20_000


def test_a_seed_gives_the_same_people_and_steps_each_time() -> None:
    one, other = make_plan(7, 40, 60.0), make_plan(7, 40, 60.0)
    assert one == other
    steps = list(itertools.islice(one.steps(), SOME))
    assert steps == list(itertools.islice(other.steps(), SOME))
    assert steps == list(itertools.islice(one.steps(), SOME))


def test_another_seed_gives_others() -> None:
    one, other = make_plan(7, 40, 60.0), make_plan(8, 40, 60.0)
    assert one.friends != other.friends
    assert next(one.steps()) != next(other.steps())


@pytest.mark.parametrize("people", [2, 3, 5, 8, 40, 41])
def test_nobody_is_alone_and_friendship_is_mutual(people: int) -> None:
    plan = make_plan(1, people, 60.0)
    assert plan.people == len(plan.devices) == people
    for person, friends in enumerate(plan.friends):
        assert friends
        assert person not in friends
        assert all(person in plan.friends[friend] for friend in friends)
    assert set(plan.devices) <= set(range(1, MOST_DEVICES + 1))


def test_one_person_is_too_few() -> None:
    with pytest.raises(ValueError, match="1 cannot write"):
        make_plan(1, 1, 60.0)


def test_times_rise_and_everything_is_done_as_often_as_it_should() -> None:
    plan = make_plan(3, 40, 60.0)
    steps = list(itertools.islice(plan.steps(), SOME))
    assert all(before.at < after.at for before, after in itertools.pairwise(steps))
    seconds = steps[-1].at
    messages = sum(step.count for step in steps if step.act in (Act.WRITE, Act.BURST))
    assert messages / seconds == pytest.approx(60.0, rel=0.1)
    times = Counter(step.act for step in steps)
    for act, rate in STEPS_PER_SECOND.items():
        assert times[act] / seconds == pytest.approx(rate, rel=0.4), act


def test_people_write_to_whom_they_know() -> None:
    plan = make_plan(3, 40, 60.0)
    for step in itertools.islice(plan.steps(), SOME):
        assert step.other in plan.friends[step.person]
        assert step.act is not Act.BURST or BURST_SIZES[0] <= step.count <= BURST_SIZES[1]
        assert (step.seconds > 0) == (step.act in (Act.SLEEP, Act.BLOCK, Act.GROUP_LEAVE))
