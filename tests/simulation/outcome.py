"""Runs one plan and judges it."""

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.client.history import History
from tests.faults.checker import Finding, check
from tests.faults.checker.groups import Stay, find_in_group
from tests.simulation.plan import GROUP, Act, CallFault, Plan
from tests.simulation.shrink import Failure
from tests.simulation.trace import Event, Trace

NAMES_IN_FINDINGS = re.compile(r"msg-[0-9a-f]{16}|[0-9a-f]{4}-\d+\.\d+")
NEMESIS = "nemesis"
SHORT = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run of a plan: what broke, and how much happened; `seconds` are real ones."""

    plan: Plan
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    call_faults: tuple[CallFault, ...]
    digest: str
    events: tuple[Event, ...]
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        return not self.findings

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of promises that broke."""
        return frozenset(finding.kind for finding in self.findings)

    def story(self) -> Iterator[Event]:
        """What concerns the findings: the faults, and all that names a message in them; all of a short run."""
        if len(self.events) <= SHORT:
            yield from self.events
            return
        words = {word for finding in self.findings for word in NAMES_IN_FINDINGS.findall(finding.detail)}
        for event in self.events:
            if event.actor == NEMESIS or any(word in event.text for word in words):
                yield event


def run_plan(plan: Plan, *, keeps_trace: bool = False) -> Outcome:
    """Run a plan in a world of its own, under virtual time, and judge what its clients saw and what is left."""
    from tests.simulation.world import World  # it makes a Django site of this process

    began_at = time.perf_counter()
    trace = Trace(keeps=keeps_trace)
    end = World(plan, trace).run()
    known = {"keeping_nothing": list_keeping_nothing(plan), "is_swept": True}
    report = check(
        end.histories,
        blocks=end.blocks,
        end_state=None if end.document is None else {**end.document, **known},
    )
    in_group = list_group_findings(end.histories, end.document)
    broken = [Finding(kind="failure", detail=failure) for failure in end.failures]
    return Outcome(
        plan=plan,
        findings=(*broken, *report.findings, *in_group),
        counts=dict(end.counts) | {f"messages {name}": count for name, count in report.counts.items()},
        call_faults=tuple(end.call_faults),
        digest=trace.digest,
        events=tuple(trace.events),
        seconds=time.perf_counter() - began_at,
    )


def list_group_findings(histories: Sequence[History], document: Mapping[str, Any] | None) -> list[Finding]:
    """What members of the group were promised, by who was a member when."""
    stays: dict[str, list[Stay]] = defaultdict(list)
    for user_id, start, end in document["stays"] if document is not None else ():
        stays[user_id].append(Stay(start=start, end=end))
    return list(find_in_group(GROUP, histories, stays, document["rows"])) if document is not None else []


def list_keeping_nothing(plan: Plan) -> list[str]:
    """Those who keep no history from the start, and never choose to."""
    choosing = {operation.device.user_id for operation in plan.operations if operation.act is Act.KEEP_HISTORY}
    return [one.user_id for one in plan.people if not one.keeps_history and one.user_id not in choosing]


def attempt(plan: Plan) -> Failure:
    """Run a plan for the shrinker."""
    outcome = run_plan(plan)
    return Failure(kinds=outcome.kinds, call_faults=outcome.call_faults)
