"""The patches themselves: a patch that no longer applies is noticed at once, not in the long run that would need it."""

import pytest

from tests.planted.catalogue import CATALOGUE, LABELS, PATCHES, PlantedBug, read_heading
from tests.planted.tree import ROOT, apply_patch

LEAST = 24


@pytest.mark.parametrize("bug", CATALOGUE, ids=lambda bug: bug.name)
def test_a_patch_applies_to_the_code_as_it_is_and_says_what_it_breaks(bug: PlantedBug) -> None:
    apply_patch(bug.patch, ROOT, only_check=True)
    assert set(read_heading(bug.patch)) == set(LABELS)


@pytest.mark.parametrize("bug", CATALOGUE, ids=lambda bug: bug.name)
def test_a_patch_changes_the_product_only(bug: PlantedBug) -> None:
    changed = [line.removeprefix("+++ b/") for line in bug.patch.read_text().splitlines() if line.startswith("+++ ")]
    assert changed
    assert all(path.startswith("apps/") for path in changed)


def test_the_catalogue_and_the_folder_agree() -> None:
    names = [bug.name for bug in CATALOGUE]
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(patch.stem for patch in PATCHES.glob("*.patch"))
    assert len(names) >= LEAST


def test_each_bug_is_found_as_something() -> None:
    assert all(bug.found_as for bug in CATALOGUE)
