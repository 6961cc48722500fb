"""Each planted bug is found, as what it is; and the code without one is found clean."""

from collections.abc import Callable

import pytest

from tests.planted.catalogue import CATALOGUE, PlantedBug
from tests.planted.tree import copied_tree
from tests.planted.verdicts import judge

PATIENCE = 900
"""Seconds: the machine may be slow."""

pytestmark = [pytest.mark.production, pytest.mark.planted]


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("bug", CATALOGUE, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_as_what_it_is(bug: PlantedBug, record_property: Callable[[str, object], None]) -> None:
    verdict = judge(bug)
    record_property("seconds", verdict.seconds)
    assert verdict.kinds & bug.found_as, f"{bug.promise} Found instead: {sorted(verdict.kinds) or 'nothing'}"


@pytest.mark.timeout(PATIENCE)
def test_a_copy_without_a_bug_is_found_clean() -> None:
    assert not judge(None, seeds="1-5").kinds


def test_a_copy_has_what_the_checkout_has_and_the_change_of_its_patch() -> None:
    bug = CATALOGUE[0]
    with copied_tree(bug.patch) as tree, copied_tree() as untouched:
        changed = [
            line.removeprefix("+++ b/") for line in bug.patch.read_text().splitlines() if line.startswith("+++ ")
        ]
        for path in changed:
            assert (tree / path).read_text() != (untouched / path).read_text()
        assert (tree / "manage.py").read_text() == (untouched / "manage.py").read_text()
