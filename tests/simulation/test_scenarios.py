"""Each scenario holds every promise, under either log, and is about what it claims to be about."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.simulation.__main__ import main
from tests.simulation.outcome import run_plan
from tests.simulation.scenarios import SCENARIOS, STREAMS_SEED, Line, Scenario
from tests.simulation.trace import Event

PARTITIONED_SEED = 13
EVERY_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


@EVERY_SCENARIO
@pytest.mark.parametrize("seed", [STREAMS_SEED, PARTITIONED_SEED], ids=["streams", "partitioned"])
def test_every_promise_holds_and_the_proof_is_not_idle(scenario: Scenario, seed: int) -> None:
    outcome = run_plan(replace(scenario.plan, seed=seed), keeps_trace=True)
    story = "\n".join(str(event) for event in outcome.events)
    assert outcome.is_clean, f"{story}\n" + "\n".join(f"{f.kind}: {f.detail}" for f in outcome.findings)
    assert list(scenario.find_idle(outcome.events, outcome.counts)) == [], story


def test_limits_and_logs_are_those_that_the_seeds_stand_for() -> None:
    from tests.simulation.variation import draw_limits, has_partitioned_log

    assert draw_limits(STREAMS_SEED) == draw_limits(PARTITIONED_SEED) == []
    assert not has_partitioned_log(STREAMS_SEED)
    assert has_partitioned_log(PARTITIONED_SEED)


def test_a_run_without_what_it_is_about_is_an_idle_proof() -> None:
    scenario = replace(
        SCENARIOS["only-device-replaced"],
        expected=(Line("a", "first"), Line("a", "second")),
        ruled_out=(Line("b", "never"),),
        counted={"sweep": 2},
    )
    first, second, never = Event(1.0, "a", "the first"), Event(2.0, "a", "the second"), Event(1.5, "b", "never")
    assert list(scenario.find_idle([first, second], {"sweep": 2})) == []
    assert list(scenario.find_idle([second, first], {"sweep": 2})) == ["did not come, in its turn: a second"]
    assert list(scenario.find_idle([first, never, second], {"sweep": 2})) == [f"should not have come: {never}"]
    assert list(scenario.find_idle([first, second], {})) == ["sweep happened 0 times, not 2"]


def test_a_scenario_is_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    assert main(["--scenario", "only-device-replaced", "--json", str(path)]) == 0
    assert "every promise held" in capsys.readouterr().out
    report = orjson.loads(path.read_bytes())
    assert report["clean"] is True
    assert [seed["findings"] for seed in report["seeds"]] == [[]]
