"""Runs the simulation from the command line."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.simulation.campaign import Campaign, SeedResult, run_seeds, summarize
from tests.simulation.outcome import Outcome, attempt, run_plan
from tests.simulation.plan import Plan
from tests.simulation.planning import make_plan
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.shrink import BUDGET_SECONDS, Shrinker

DESCRIPTION = """\
Runs gateways, relays and workers with the product's own code in one thread under virtual time, lets people write to
each other and breaks whatever there is to break between any two calls, all drawn from a seed. A seed that breaks a
promise is made small and printed as a short story; the same seed always tells the same.

Exit code 0: every promise held. 1: a promise was broken. 2: the arguments or the plan's file cannot be used.
"""
EPILOG = """\
examples:
  python -m tests.simulation --seeds 1-1000
  python -m tests.simulation --seed 17 --trace all
  python -m tests.simulation --plan var/simulation/17.json
  python -m tests.simulation --scenario only-device-replaced
"""
PLANS = Path("var/simulation")
PROGRESS_PARTS = 20
UNUSABLE = 2


def main(arguments: list[str]) -> int:
    """Do what the command line asks; gives the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.seeds is not None:
        return run_campaign(options)
    try:
        plan = find_plan(options)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{options.plan} is no plan: {error!r}", file=sys.stderr)
        return UNUSABLE
    outcome = run_plan(plan, keeps_trace=True)
    if options.json is not None:
        options.json.write_bytes(Campaign(results=[summarize(outcome)], seconds=outcome.seconds).json())
    print_outcome(outcome, whole=options.trace == "all")
    if outcome.is_clean:
        return 0
    if options.shrink and options.seed is not None:
        shrink(plan, outcome.kinds, options.shrink_seconds)
    return 1


def find_plan(options: argparse.Namespace) -> Plan:
    """The one plan to run. Raises OSError, ValueError, KeyError or TypeError where its file holds none."""
    if options.scenario is not None:
        return SCENARIOS[options.scenario].plan
    if options.plan is not None:
        return Plan.from_json(options.plan.read_bytes())
    return make_plan(options.seed)


def build_parser() -> argparse.ArgumentParser:
    """The options, with their help."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seeds", type=read_seeds, metavar="1-1000", help="run these seeds: 17, 1-1000 or 3,7,20-30")
    what.add_argument("--seed", type=int, help="run one seed and tell its story")
    what.add_argument("--plan", type=Path, metavar="FILE", help="run a plan that was kept")
    what.add_argument(
        "--scenario",
        choices=sorted(SCENARIOS),
        metavar="NAME",
        help=f"run a plan with a purpose: {', '.join(SCENARIOS)}",
    )
    parser.add_argument(
        "--jobs", type=read_count, default=os.cpu_count() or 1, help="processes side by side (all cores)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every seed's result there")
    parser.add_argument(
        "--budget", type=float, default=float("inf"), metavar="SECONDS", help="begin no seed after that"
    )
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first broken promise")
    parser.add_argument("--no-shrink", dest="shrink", action="store_false", help="leave a failing plan as it is")
    parser.add_argument(
        "--shrink-seconds",
        type=float,
        default=BUDGET_SECONDS,
        metavar="SECONDS",
        help="for making one plan small (120)",
    )
    parser.add_argument("--trace", choices=("findings", "all"), default="findings", help="what of the story to print")
    return parser


def read_seeds(text: str) -> list[int]:
    """The seeds that `1-10,17` names, each once. Raises argparse.ArgumentTypeError."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            low, high = int(first), int(last if dash else first)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r} is neither a seed nor a range of seeds like 1-100") from None
        if high < low:
            raise argparse.ArgumentTypeError(f"{part!r} holds no seed")
        seeds |= dict.fromkeys(range(low, high + 1))
    return list(seeds)


def read_count(text: str) -> int:
    """A whole number from 1. Raises argparse.ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def run_campaign(options: argparse.Namespace) -> int:
    """Run many seeds; of those that break a promise the first is made small."""
    progress = Progress(len(options.seeds))
    campaign = run_seeds(
        options.seeds, jobs=options.jobs, keep_going=options.keep_going, budget=options.budget, report=progress.report
    )
    if options.json is not None:
        options.json.write_bytes(campaign.json())
    for result in campaign.broken:
        print_findings(result)
    if campaign.broken and options.shrink:
        plan = make_plan(campaign.broken[0].seed)
        shrink(plan, frozenset(kind for kind, _ in campaign.broken[0].findings), options.shrink_seconds)
    print_counts(campaign.counts)
    print(campaign.verdict())
    return 1 if campaign.broken else 0


class Progress:
    """Says now and then how far a campaign is."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._every = max(1, total // PROGRESS_PARTS)

    def report(self, campaign: Campaign) -> None:
        """Take notice of one more result."""
        done = len(campaign.results)
        if done % self._every == 0 or done == self._total or not campaign.results[-1].is_clean:
            broken = f", {len(campaign.broken)} broken" if campaign.broken else ""
            print(f"{done:,} of {self._total:,} seeds, {campaign.seconds:.0f} s{broken}", file=sys.stderr, flush=True)


def shrink(plan: Plan, kinds: frozenset[str], seconds: float) -> None:
    """Make a failing plan small, keep it in a file, and tell its story."""
    print(f"making the plan of seed {plan.seed} small, for {seconds:.0f} s at most …", file=sys.stderr, flush=True)
    shrinker = Shrinker(attempt, kinds, budget=seconds)
    small = shrinker.shrink(plan)
    PLANS.mkdir(parents=True, exist_ok=True)
    path = PLANS / f"seed-{plan.seed}.json"
    path.write_bytes(small.to_json())
    print(f"after {shrinker.runs} runs {describe(small)} are left:")
    print_outcome(run_plan(small, keeps_trace=True), whole=False)
    print(f"again: python -m tests.simulation --plan {path}    whole: python -m tests.simulation --seed {plan.seed}")


def describe(plan: Plan) -> str:
    """The size of a plan."""
    calls = "some" if plan.call_faults is None and plan.call_rates else str(len(plan.call_faults or ()))
    return (
        f"{len(plan.people)} people, {len(plan.operations)} operations, {len(plan.faults)} faults "
        f"and {calls} struck calls"
    )


def print_outcome(outcome: Outcome, *, whole: bool) -> None:
    """The story, then the findings."""
    told = outcome.events if whole else tuple(outcome.story())
    for event in told:
        print(event)
    if len(told) < len(outcome.events):
        print(f"({len(outcome.events) - len(told):,} of {len(outcome.events):,} events left out: --trace all)")
    for finding in outcome.findings:
        print(f"{finding.kind}: {finding.detail}")
    print_counts(outcome.counts)
    verdict = "every promise held" if outcome.is_clean else f"BROKEN: {len(outcome.findings)} findings"
    print(f"seed {outcome.plan.seed}, {outcome.seconds:.1f} s, trace {outcome.digest}: {verdict}")


def print_findings(result: SeedResult) -> None:
    """What one seed broke."""
    print(f"seed {result.seed}:")
    for kind, detail in result.findings:
        print(f"  {kind}: {detail}")


def print_counts(counts: Mapping[str, int]) -> None:
    """What happened how often."""
    print(", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
