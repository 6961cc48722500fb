"""Many seeds, side by side in processes: what each showed, and what all of them together did."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field

import orjson

from tests.simulation.outcome import Outcome, run_plan
from tests.simulation.planning import make_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """What one seed showed; `findings` are (kind, detail)."""

    seed: int
    findings: tuple[tuple[str, str], ...]
    counts: dict[str, int]
    digest: str
    operations: int
    faults: int
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        return not self.findings


@dataclass(slots=True)
class Campaign:
    """The results so far."""

    results: list[SeedResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def broken(self) -> list[SeedResult]:
        """The seeds with findings, by number."""
        return sorted((result for result in self.results if not result.is_clean), key=lambda result: result.seed)

    @property
    def counts(self) -> Counter[str]:
        """All that happened, summed over the seeds."""
        total: Counter[str] = Counter()
        for result in self.results:
            total.update(result.counts)
        return total

    def verdict(self) -> str:
        """One line: how much was run, and whether every promise held."""
        counts = self.counts
        amounts = [
            f"{len(self.results):,} seeds",
            f"{sum(result.operations for result in self.results):,} operations",
            f"{sum(result.faults for result in self.results):,} faults",
            f"{sum(n for name, n in counts.items() if name.startswith('call ')):,} struck calls",
            f"{counts['messages sent']:,} messages",
            f"{counts['messages delivered']:,} ✓✓",
            f"{self.seconds:.0f} s",
        ]
        seeds = ", ".join(str(result.seed) for result in self.broken)
        return f"{', '.join(amounts)}: {f'BROKEN with {seeds}' if seeds else 'every promise held'}"

    def json(self) -> bytes:
        """Everything, for a script."""
        document = {
            "clean": not self.broken,
            "seconds": round(self.seconds, 1),
            "counts": dict(sorted(self.counts.items())),
            "seeds": [asdict(result) for result in sorted(self.results, key=lambda result: result.seed)],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def run_seed(seed: int) -> SeedResult:
    """Run the plan of one seed."""
    plan = make_plan(seed)
    began_at = time.perf_counter()
    try:
        outcome = run_plan(plan)
    except Exception as error:  # noqa: BLE001 - whatever breaks a run is what its seed has found
        return SeedResult(
            seed=seed,
            findings=(("crashed", repr(error)),),
            counts={},
            digest="",
            operations=len(plan.operations),
            faults=len(plan.faults),
            seconds=round(time.perf_counter() - began_at, 3),
        )
    return summarize(outcome)


def summarize(outcome: Outcome) -> SeedResult:
    """What of a run is kept."""
    return SeedResult(
        seed=outcome.plan.seed,
        findings=tuple((finding.kind, finding.detail) for finding in outcome.findings),
        counts=dict(outcome.counts),
        digest=outcome.digest,
        operations=len(outcome.plan.operations),
        faults=len(outcome.plan.faults),
        seconds=round(outcome.seconds, 3),
    )


def run_seeds(
    seeds: Sequence[int],
    *,
    jobs: int,
    keep_going: bool = False,
    budget: float = float("inf"),
    report: Callable[[Campaign], None] = lambda _: None,
) -> Campaign:
    """Run the seeds until all are done, one breaks a promise (unless `keep_going`), or `budget` seconds are spent.

    `report` is called after each.
    """
    began_at = time.perf_counter()
    campaign = Campaign()
    for result in _run_side_by_side(seeds, jobs):
        campaign.results.append(result)
        campaign.seconds = time.perf_counter() - began_at
        report(campaign)
        if (campaign.broken and not keep_going) or campaign.seconds > budget:
            break
    return campaign


def _run_side_by_side(seeds: Sequence[int], jobs: int) -> Iterator[SeedResult]:
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    # spawn: each process makes its own Django site, and none inherits what another has patched.
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    waiting = list(reversed(seeds))
    running: set[Future[SeedResult]] = set()
    try:
        while waiting or running:
            while waiting and len(running) < jobs + 1:
                running.add(pool.submit(run_seed, waiting.pop()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
