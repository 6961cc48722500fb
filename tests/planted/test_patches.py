"""The patches themselves: a patch that no longer applies is noticed at once, not in the long run that would need it."""

from pathlib import Path

import pytest

from tests.planted.catalogue import CATALOGUE, LABELS, PATCHES, read_heading
from tests.planted.tree import ROOT, apply_patch
from tests.simulation.scenarios import SCENARIOS

LEAST = 24
EVERY_PATCH = sorted(PATCHES.glob("*.patch"))


@pytest.mark.parametrize("patch", EVERY_PATCH, ids=lambda patch: patch.stem)
def test_a_patch_applies_to_the_code_as_it_is_and_says_what_it_breaks(patch: Path) -> None:
    apply_patch(patch, ROOT, only_check=True)
    assert set(read_heading(patch)) == set(LABELS)


@pytest.mark.parametrize("patch", EVERY_PATCH, ids=lambda patch: patch.stem)
def test_a_patch_changes_the_product_only(patch: Path) -> None:
    changed = [line.removeprefix("+++ b/") for line in patch.read_text().splitlines() if line.startswith("+++ ")]
    assert changed
    assert all(path.startswith("apps/") for path in changed)


def test_the_catalogue_and_the_folder_agree() -> None:
    names = [bug.name for bug in CATALOGUE]
    assert len(names) == len(set(names))
    assert sorted(names) == [patch.stem for patch in EVERY_PATCH]
    assert len(names) >= LEAST


def test_each_bug_is_found_as_something() -> None:
    assert all(bug.found_as for bug in CATALOGUE)


def test_each_scenario_is_there_and_has_a_bug_that_breaks_it() -> None:
    assert {bug.scenario for bug in CATALOGUE} - {""} == set(SCENARIOS)
