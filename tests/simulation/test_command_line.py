"""The command line: what it takes, and what it refuses in one line."""

import argparse
from pathlib import Path

import pytest

from tests.simulation.__main__ import UNUSABLE, main, read_count, read_seeds
from tests.simulation.campaign import Campaign, SeedResult


def test_seeds_are_numbers_and_ranges() -> None:
    assert read_seeds("17") == [17]
    assert read_seeds("1-3,7,2-4") == [1, 2, 3, 7, 4]


@pytest.mark.parametrize("text", ["", "a", "1-", "3-1", "1,,2", "-5"])
def test_what_names_no_seeds_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        read_seeds(text)


@pytest.mark.parametrize("text", ["0", "-1", "two", ""])
def test_jobs_are_counted_from_one(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        read_count(text)


def test_a_file_that_is_no_plan_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    for text in ("no json", "{}", "[]"):
        path.write_text(text)
        assert main(["--plan", str(path)]) == UNUSABLE
        assert str(path) in capsys.readouterr().err
    assert main(["--plan", str(tmp_path / "missing.json")]) == UNUSABLE


def test_one_of_seeds_seed_and_plan_is_needed() -> None:
    for arguments in ([], ["--seed", "1", "--seeds", "1-2"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == UNUSABLE


def test_the_verdict_names_broken_seeds() -> None:
    campaign = Campaign(results=[make_result(1), make_result(2, ("lost", "m"))], seconds=3.0)
    assert campaign.verdict().endswith("BROKEN with 2")
    assert "2 seeds, 400 operations, 12 faults" in campaign.verdict()
    assert b'"clean": false' in campaign.json()


def test_the_verdict_says_that_all_held() -> None:
    campaign = Campaign(results=[make_result(1)], seconds=3.0)
    assert campaign.verdict().endswith("every promise held")
    assert b'"clean": true' in campaign.json()


def make_result(seed: int, *findings: tuple[str, str]) -> SeedResult:
    """A seed's result."""
    return SeedResult(
        seed=seed, findings=findings, counts={"messages sent": 7}, digest="", operations=200, faults=6, seconds=1.0
    )
