"""A failing plan is made small, and stays failing for the same reason."""

from tests.simulation.plan import Act, CallFault, CallOutcome, FaultKind, Plan
from tests.simulation.planning import make_plan
from tests.simulation.shrink import Failure, Shrinker

NOTHING = Failure(kinds=frozenset(), call_faults=())
LOST = frozenset({"lost"})


def breaks_when_a_relay_dies_and_somebody_writes(plan: Plan) -> Failure:
    """A made-up product that loses messages: no world is needed to see what the shrinker does."""
    died = any(fault.kind is FaultKind.KILL and fault.target == "relay 0" for fault in plan.faults)
    wrote = any(operation.act is Act.SEND for operation in plan.operations)
    return Failure(kinds=LOST, call_faults=()) if died and wrote and plan.people else NOTHING


def find_plan_with_dying_relay() -> Plan:
    return next(
        plan
        for plan in map(make_plan, range(1, 1000))
        if breaks_when_a_relay_dies_and_somebody_writes(plan).kinds and plan.call_rates
    )


def test_what_does_not_matter_goes() -> None:
    plan = find_plan_with_dying_relay()
    shrinker = Shrinker(breaks_when_a_relay_dies_and_somebody_writes, LOST)
    small = shrinker.shrink(plan)
    assert [(fault.kind, fault.target) for fault in small.faults] == [(FaultKind.KILL, "relay 0")]
    assert [operation.act for operation in small.operations] == [Act.SEND]
    assert small.operations[0].count == 1
    assert len(small.people) == 1
    assert len(small.people[0].devices) == 1
    assert small.call_rates == ()
    assert shrinker.runs < 120


def test_only_the_struck_calls_that_matter_stay() -> None:
    guilty = CallFault(actor="relay 0", number=7, outcome=CallOutcome.ANSWER_LOST)
    innocent = (CallFault(actor="relay 1", number=number, outcome=CallOutcome.REFUSED) for number in range(20))
    struck = (*innocent, guilty)

    def attempt(plan: Plan) -> Failure:
        drawn = struck if plan.call_rates else ()
        happened = drawn if plan.call_faults is None else plan.call_faults
        return Failure(kinds=LOST if guilty in happened else frozenset(), call_faults=happened)

    small = Shrinker(attempt, LOST).shrink(find_plan_with_dying_relay())
    assert small.call_faults == (guilty,)
    assert small.operations == ()
    assert small.faults == ()


def test_another_broken_promise_does_not_count() -> None:
    def attempt(plan: Plan) -> Failure:
        return Failure(kinds=LOST if len(plan.faults) > 3 else frozenset({"doubled"}), call_faults=())

    plan = find_plan_with_dying_relay()
    assert len(Shrinker(attempt, LOST).shrink(plan).faults) == 4


def test_a_plan_that_does_not_fail_stays_as_it_is() -> None:
    plan = make_plan(1)
    shrinker = Shrinker(lambda _: NOTHING, LOST)
    assert shrinker.shrink(plan) == plan
    assert shrinker.runs == 1


def test_the_budget_ends_it_with_the_smallest_so_far() -> None:
    seconds = iter(range(1000))
    plan = find_plan_with_dying_relay()
    shrinker = Shrinker(
        breaks_when_a_relay_dies_and_somebody_writes, LOST, budget=10, clock=lambda: float(next(seconds))
    )
    small = shrinker.shrink(plan)
    assert shrinker.runs <= 11
    assert breaks_when_a_relay_dies_and_somebody_writes(small).kinds
    assert len(small.faults) < len(plan.faults)
