"""Plants bugs one after another and prints what found each: `python -m tests.planted [NAME…]`.

Without names all of them, and first the tree as it is. Exit code 0: each was found, as expected; 1: not.
"""

import argparse
import sys
from collections.abc import Iterable

from tests.planted.catalogue import CATALOGUE, PlantedBug
from tests.planted.tree import DoesNotApply
from tests.planted.verdicts import NoVerdict, Verdict, judge

HEADER = "| bug | breaks | found as | in | seconds |\n|---|---|---|---|---|"


def main(arguments: list[str] | None = None) -> int:
    """Print one row a bug as it is judged."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="bugs to plant, by the names of their patches or a part"
    )
    names = parser.parse_args(arguments).names
    bugs = [bug for bug in CATALOGUE if not names or any(name in bug.name for name in names)]
    if not bugs:
        parser.error(f"no bug is called {' or '.join(names)}")
    print(HEADER)
    fine = True
    if not names:
        untouched = judge(None)
        fine = not untouched.kinds
        print(_row("none", "", untouched), flush=True)
    return 0 if all([fine, *_judge_each(bugs)]) else 1


def _judge_each(bugs: Iterable[PlantedBug]) -> Iterable[bool]:
    for bug in bugs:
        try:
            verdict = judge(bug)
        except (NoVerdict, DoesNotApply) as error:
            print(f"{bug.name}: {error}", file=sys.stderr)
            yield False
            continue
        print(_row(bug.name, bug.promise, verdict), flush=True)
        yield bool(verdict.kinds & bug.found_as)


def _row(name: str, promise: str, verdict: Verdict) -> str:
    kinds = ", ".join(sorted(verdict.kinds)) or "nothing"
    return f"| {name} | {promise} | {kinds} | {verdict.place} | {verdict.seconds:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
