"""The report says the verdict first, and how to run it again."""

from typing import Any

import orjson

from tests.faults.checker import Finding, Report
from tests.faults.lateness import FaultLateness, Lateness
from tests.faults.report import Circumstances, Outcome

AROUND = Circumstances(
    site="embedded",
    seed=7,
    seconds=612.4,
    again="python -m tests.faults.run --seed 7",
    versions={"Python": "3.11.7"},
    folder="reports",
)
KILL = FaultLateness(
    kind="kill",
    times=12,
    without_tick=3.21,
    without_delivery=4.5,
    recovery_p50=0.4,
    recovery_longest=2.5,
    unrecovered=0,
)


def make_outcome(*findings: Finding, **changes: Any) -> Outcome:
    chosen: dict[str, Any] = {
        "circumstances": AROUND,
        "report": Report(counts={"sent": 12_000}, findings=findings),
        "mishaps": (),
        "lateness": Lateness(tick=1.0, arrival=2.0, pause=0.5),
        "faults": (KILL,),
        "not_struck": (),
        "says": {"kill": "kill -9 of a process"},
        "acts": {"write": 10_000},
        "error_codes": {},
    }
    return Outcome(**chosen | changes)


def test_a_clean_run_names_what_did_not_happen() -> None:
    outcome = make_outcome()
    first = "HELD: lost 0, doubled 0, disordered 0, ✓✓ missing 0, left in inboxes 0, kept too long 0, without right 0"
    lines = outcome.text().splitlines()
    assert outcome.is_clean
    assert lines[0] == lines[-1] == first
    assert "seed       7, 612 s" in lines
    assert "again      python -m tests.faults.run --seed 7" in lines
    assert "messages   12,000 sent" in lines
    assert "errors     none" in lines


def test_findings_are_counted_by_kind_and_shown_with_the_first_of_them() -> None:
    findings = [Finding(kind="lost", detail=f"message {number}") for number in range(9)]
    outcome = make_outcome(*findings, mishaps=(Finding(kind="did not recover", detail="after kill of relay"),))
    text = outcome.text()
    assert not outcome.is_clean
    assert text.startswith("BROKEN: lost 9, doubled 0,")
    assert "did not recover 1" in text.splitlines()[0]
    assert "  message 4" in text
    assert "message 5" not in text
    assert "  after kill of relay" in text


def test_each_kind_of_fault_has_its_line() -> None:
    unrecovered = FaultLateness(
        kind="half-open",
        times=2,
        without_tick=130.0,
        without_delivery=130.0,
        recovery_p50=1.0,
        recovery_longest=1.0,
        unrecovered=1,
    )
    outcome = make_outcome(faults=(unrecovered, KILL), not_struck=("disk-full", "flush"))
    cells = [line.split() for line in outcome.text().splitlines()]
    assert ["kill", "12", "3.2", "4.5", "0.4", "2.5"] in cells
    assert ["half-open", "2", "130.0", "130.0", "1.0", "1.0", "1", "did", "not", "recover"] in cells
    assert "kill: kill -9 of a process" in outcome.text()
    assert "not struck in this time: disk-full, flush" in outcome.text()


def test_the_json_has_every_finding() -> None:
    findings = [Finding(kind="lost", detail=f"message {number}") for number in range(9)]
    document = orjson.loads(make_outcome(*findings).json())
    assert document["clean"] is False
    assert len(document["findings"]) == 9
    assert document["faults"][0]["without_tick"] == 3.21
    assert document["circumstances"]["seed"] == 7
