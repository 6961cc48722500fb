"""The measured figures as text."""

from collections.abc import Sequence

from benchmarks.pipeline.load import IdleResult, LoadResult, Quantiles


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
        f"INCOMPLETE {name_load(profile, result)}: {result.sent - result.delivered} without ✓✓, {result.errors} errors"
        for profile, result in results
        if result.delivered < result.sent or result.errors
    ]
    return "\n".join(lines)


def format_idle(result: IdleResult) -> str:
    """One line on idle connections."""
    return (
        f"{result.connections} idle connections: {result.kib_per_connection:.1f} KiB of gateway memory each, "
        f"opened at {result.connections_per_second:.0f}/s"
    )


def name_load(profile: str, result: LoadResult) -> str:
    """A load in a few words."""
    load = result.load
    how = f"{load.rate:g}/s" if load.rate else f"{load.window} in flight"
    return f"{profile}, {load.pairs} pairs, {how}"


def _format_row(profile: str, result: LoadResult) -> str:
    columns = (result.acknowledged, result.arrived, result.delivered_back)
    texts = "".join(f"{_format_quantiles(quantiles):>22}" for quantiles in columns)
    return f"{name_load(profile, result):<38}{result.messages_per_second:>11,.0f}{texts}"


def _format_quantiles(quantiles: Quantiles) -> str:
    return f"{quantiles.p50:.1f} / {quantiles.p95:.1f} / {quantiles.p99:.1f}"


def _format_cpu(profile: str, result: LoadResult) -> str:
    shares = "  ".join(f"{role} {seconds:.3f}" for role, seconds in result.cpu_seconds_per_1000.items())
    total = sum(result.cpu_seconds_per_1000.values())
    client = f"(load client {result.client_cpu_seconds_per_1000:.3f})"
    return f"{name_load(profile, result):<38}{shares}  = {total:.3f}  {client}"
