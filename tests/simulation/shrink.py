"""Makes a failing plan small: takes out whatever can go while the run still breaks the same promise."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.simulation.plan import CallFault, Plan

Part = TypeVar("Part")
BUDGET_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What was seen when a plan was run: the kinds of findings, and the calls that were struck."""

    kinds: frozenset[str]
    call_faults: tuple[CallFault, ...]


Try = Callable[[Plan], Failure]


class Shrinker:
    """Shrinks one plan; `attempt` runs a plan and tells what broke. A plan counts as failing by any of `kinds`.

    Takes faults out first, then operations, people and struck calls, over and over until nothing more can go or the
    budget of seconds is spent.
    """

    def __init__(
        self,
        attempt: Try,
        kinds: frozenset[str],
        *,
        budget: float = BUDGET_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.runs = 0
        self._attempt = attempt
        self._kinds = kinds
        self._clock = clock
        self._give_up_at = clock() + budget

    def shrink(self, plan: Plan) -> Plan:
        """The smallest failing plan that was found; `plan` itself if nothing can go, or if it does not fail."""
        if not self._fails(plan):
            return plan
        plan = self._without_call_faults(plan)
        while self._clock() < self._give_up_at:
            smaller = self._shrink_calls(self._shrink_people(self._shrink_operations(self._shrink_faults(plan))))
            if smaller == plan:
                break
            plan = smaller
        return plan

    def _without_call_faults(self, plan: Plan) -> Plan:
        """Most failures need no struck call, or few: then those few are written down."""
        bare = replace(plan, call_rates=(), call_faults=None)
        if self._fails(bare):
            return bare
        written = plan.with_call_faults(self._run(plan).call_faults)
        return written if self._fails(written) else plan

    def _shrink_faults(self, plan: Plan) -> Plan:
        kept = self._minimize(plan.faults, lambda faults: replace(plan, faults=faults))
        return replace(plan, faults=kept)

    def _shrink_operations(self, plan: Plan) -> Plan:
        kept = self._minimize(plan.operations, lambda operations: replace(plan, operations=operations))
        plan = replace(plan, operations=kept)
        for place, operation in enumerate(plan.operations):
            if operation.count > 1:
                single = replace(operation, count=1)
                smaller = replace(plan, operations=(*plan.operations[:place], single, *plan.operations[place + 1 :]))
                plan = smaller if self._fails(smaller) else plan
        return plan

    def _shrink_people(self, plan: Plan) -> Plan:
        """Fewer people, and fewer devices of those who stay."""
        kept = self._minimize(plan.people, lambda people: replace(plan, people=people))
        plan = replace(plan, people=kept)
        for place, person in enumerate(plan.people):
            for device in person.devices[1:]:
                others = replace(person, devices=tuple(d for d in plan.people[place].devices if d != device))
                smaller = replace(plan, people=(*plan.people[:place], others, *plan.people[place + 1 :]))
                plan = smaller if self._fails(smaller) else plan
        return plan

    def _shrink_calls(self, plan: Plan) -> Plan:
        if plan.call_faults is None:
            return plan
        return replace(plan, call_faults=self._minimize(plan.call_faults, plan.with_call_faults))

    def _minimize(self, parts: Sequence[Part], build: Callable[[tuple[Part, ...]], Plan]) -> tuple[Part, ...]:
        """Take out ever smaller runs of parts, the last first, as long as the plan still fails without them."""
        kept = tuple(parts)
        size = len(kept)
        while size >= 1:
            end = len(kept)
            while end > 0:
                fewer = kept[: max(0, end - size)] + kept[end:]
                if self._fails(build(fewer)):
                    kept = fewer
                end -= size
            size //= 2
        return kept

    def _fails(self, plan: Plan) -> bool:
        """Whether a plan breaks the same promise. Once the budget is spent, nothing does any more."""
        if self.runs and self._clock() >= self._give_up_at:
            return False
        return bool(self._run(plan).kinds & self._kinds)

    def _run(self, plan: Plan) -> Failure:
        self.runs += 1
        return self._attempt(plan)
