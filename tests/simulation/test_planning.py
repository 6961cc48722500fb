"""Plans are drawn from a seed, are rich enough to prove something, and can be kept in a file."""

from collections import Counter

import pytest

from tests.simulation.plan import TARGETS, Act, CallDice, CallFault, CallOutcome, Plan
from tests.simulation.planning import LEAST_FAULTS, LEAST_OPERATIONS, WEIGHTS, make_plan
from tests.simulation.scenarios import SCENARIOS

SEEDS = range(1, 101)


def test_every_plan_has_enough_operations_and_faults() -> None:
    for plan in map(make_plan, SEEDS):
        assert len(plan.operations) >= LEAST_OPERATIONS >= 200
        assert len(plan.faults) >= LEAST_FAULTS == 5
        assert 4 <= len(plan.people) <= 8
        assert all(1 <= len(person.devices) <= 3 for person in plan.people)


def test_all_plans_together_do_and_break_everything() -> None:
    plans = [make_plan(seed) for seed in SEEDS]
    acts = Counter(operation.act for plan in plans for operation in plan.operations)
    struck = Counter((fault.kind, fault.target) for plan in plans for fault in plan.faults)
    assert set(acts) == set(WEIGHTS)
    assert set(struck) == {(kind, target) for kind, targets in TARGETS.items() for target in targets}


def test_an_act_that_no_seed_draws_stands_in_a_scenario() -> None:
    written = {operation.act for scenario in SCENARIOS.values() for operation in scenario.plan.operations}
    assert set(Act) == {*WEIGHTS, *written}


def test_a_seed_gives_the_same_plan_each_time_and_another_seed_another() -> None:
    assert make_plan(17) == make_plan(17)
    assert make_plan(17).operations != make_plan(18).operations


def test_a_plan_survives_its_file() -> None:
    call = CallFault(actor="relay 1", number=3, outcome=CallOutcome.KILLED_AFTER)
    for plan in (make_plan(5), make_plan(6).with_call_faults((call,))):
        assert Plan.from_json(plan.to_json()) == plan


def test_faults_on_one_target_never_overlap() -> None:
    for plan in map(make_plan, SEEDS):
        free_at: dict[str, int] = {}
        for fault in plan.faults:
            assert fault.at_ms >= free_at.get(fault.target, 0)
            free_at[fault.target] = fault.at_ms + fault.duration_ms


def test_people_write_to_others_and_to_nobody_twice_at_once() -> None:
    for plan in map(make_plan, SEEDS):
        assert all(operation.peer != operation.device.user_id for operation in plan.operations)
        assert len({(operation.at_ms, operation.device) for operation in plan.operations}) == len(plan.operations)


def test_each_call_has_its_own_die() -> None:
    plan = next(plan for plan in map(make_plan, SEEDS) if plan.call_rates)
    dice = CallDice(plan)
    drawn = {number: outcome for number in range(1, 20_000) if (outcome := dice.draw("relay 0", number)) is not None}
    backwards = {number: CallDice(plan).draw("relay 0", number) for number in sorted(drawn, reverse=True)}
    assert backwards == drawn
    expected = sum(rate for _, rate in plan.call_rates)
    assert len(drawn) / 20_000 == pytest.approx(expected, rel=0.3)


def test_written_call_faults_are_all_that_happen() -> None:
    call = CallFault(actor="relay 1", number=3, outcome=CallOutcome.REFUSED)
    dice = CallDice(make_plan(1).with_call_faults((call,)))
    assert dice.draw("relay 1", 3) is CallOutcome.REFUSED
    assert [dice.draw("relay 1", number) for number in (1, 2, 4)] == [None, None, None]
