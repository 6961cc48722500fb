"""The measured figures as text."""

from collections.abc import Sequence

from apps.loadtest.figures import format_quantiles
from benchmarks.pipeline.load import IdleResult, LoadResult


def format_loads(results: Sequence[tuple[str, LoadResult]]) -> str:
    """A table with one row per profile and load, then the CPU time of each role of the site's own processes."""
    lines = [
        f"{'load':<38}{'messages/s':>11}{'✓ ms p50/p95/p99':>22}{'arrival ms':>22}{'✓✓ ms':>22}",
        *(_format_row(profile, result) for profile, result in results),
        "",
        "CPU seconds per 1,000 messages, by process:",
        *(_format_cpu(profile, result) for profile, result in results),
    ]
    lines += [
        f"INCOMPLETE {name_load(profile, result)}: {result.figures.sent - result.figures.delivered} without ✓✓, "
        f"{result.figures.missing} lost, refused: {result.figures.refusals}"
        for profile, result in results
        if not is_complete(result)
    ]
    return "\n".join(lines)


def format_idle(result: IdleResult) -> str:
    """One line on idle connections."""
    return (
        f"{result.connections} idle connections: {result.kib_per_connection:.1f} KiB of gateway memory each, "
        f"opened at {result.connections_per_second:.0f}/s"
    )


def is_complete(result: LoadResult) -> bool:
    """Whether every message was delivered, in order, and nothing was refused."""
    return result.figures.is_clean and result.figures.delivered == result.figures.sent


def name_load(profile: str, result: LoadResult) -> str:
    """A load in a few words."""
    load = result.figures.load
    how = f"{load.rate:g}/s" if load.rate else f"{load.window} in flight"
    return f"{profile}, {load.pairs} pairs, {how}"


def _format_row(profile: str, result: LoadResult) -> str:
    figures = result.figures
    columns = (figures.acknowledged_ms, figures.arrived_ms, figures.delivered_ms)
    texts = "".join(f"{format_quantiles(quantiles):>22}" for quantiles in columns)
    return f"{name_load(profile, result):<38}{figures.delivered_per_second:>11,.0f}{texts}"


def _format_cpu(profile: str, result: LoadResult) -> str:
    shares = "  ".join(f"{role} {seconds:.3f}" for role, seconds in result.cpu_seconds_per_1000.items())
    total = sum(result.cpu_seconds_per_1000.values())
    client = f"(load client {result.client_cpu_seconds_per_1000:.3f})"
    return f"{name_load(profile, result):<38}{shares}  = {total:.3f}  {client}"
