"""What a load measured, and how it reads."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from apps.loadtest.crowd import Crowd
from apps.loadtest.pair import Latencies, Pair
from apps.loadtest.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send: `rate` messages/s over all pairs and groups, or (0) `window` in flight in each pair and one in each
    group; `size` characters each.

    The receivers of `away` of the pairs are offline while the load lasts and come back at its end. Of each group's
    `group_size` members one writes.
    """

    pairs: int
    window: int
    rate: float
    seconds: float
    warmup_seconds: float
    size: int
    away: int = 0
    groups: int = 0
    group_size: int = 0

    @property
    def accounts(self) -> int:
        """How many people it takes."""
        return 2 * self.pairs + self.groups * self.group_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Milliseconds; None where there is nothing to measure."""

    p50: float | None
    p95: float | None
    p99: float | None
    longest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """Over all groups. A message to one is as many deliveries as it has members who do not write: these are what
    `delivered`, `repeated`, `disordered` and `missing` count.
    """

    sent: int
    accepted: int
    delivered: int
    delivered_per_second: float
    repeated: int
    disordered: int
    missing: int
    acknowledged_ms: Quantiles
    last_arrival_ms: Quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFigures:
    """Rates are messages/s in the measured span, latencies count from before the frame was written; all of pairs, but
    `refusals`, which are those of groups too.

    `drain_seconds` is from the return of the receivers who were away until the last ✓✓, where there were any.
    """

    load: Load
    accepted_per_second: float
    delivered_per_second: float
    sent: int
    accepted: int
    arrived: int
    delivered: int
    repeated: int
    disordered: int
    missing: int
    refusals: dict[str, int]
    acknowledged_ms: Quantiles
    arrived_ms: Quantiles
    delivered_ms: Quantiles
    drained: int
    drain_seconds: float | None
    groups: GroupFigures | None = None

    @property
    def is_clean(self) -> bool:
        """Whether everything arrived in order and nothing was refused; repeats are within the contract."""
        in_groups = self.groups is not None and (self.groups.missing or self.groups.disordered)
        return not (self.missing or self.disordered or self.refusals or in_groups)


def collect_figures(
    load: Load,
    pairs: Sequence[Pair],
    latencies: Latencies,
    drain_seconds: float | None,
    crowds: Sequence[Crowd] = (),
) -> LoadFigures:
    """Add up what the pairs and the groups saw."""
    writers: list[Writer] = [*pairs, *crowds]
    refusals: Counter[str] = sum((writer.refusals for writer in writers), Counter())
    return LoadFigures(
        load=load,
        accepted_per_second=sum(pair.acknowledged_in_span for pair in pairs) / load.seconds,
        delivered_per_second=sum(pair.delivered_in_span for pair in pairs) / load.seconds,
        sent=sum(pair.sent for pair in pairs),
        accepted=sum(pair.acknowledged for pair in pairs),
        arrived=sum(pair.arrived for pair in pairs),
        delivered=sum(pair.delivered for pair in pairs),
        repeated=sum(pair.repeated for pair in pairs),
        disordered=sum(pair.disordered for pair in pairs),
        missing=sum(pair.missing for pair in pairs),
        refusals=dict(refusals),
        acknowledged_ms=compute_quantiles(latencies.acknowledged),
        arrived_ms=compute_quantiles(latencies.arrived),
        delivered_ms=compute_quantiles(latencies.delivered),
        drained=sum(pair.arrived for pair in pairs if pair.away),
        drain_seconds=drain_seconds,
        groups=_collect_groups(load, crowds) if crowds else None,
    )


def _collect_groups(load: Load, crowds: Sequence[Crowd]) -> GroupFigures:
    flights = [flight for crowd in crowds for flight in crowd.list_measured()]
    acknowledged = [one.acknowledged - one.sent_at for one in flights if one.acknowledged is not None]
    last_arrivals = [one.last_arrival - one.sent_at for one in flights if one.last_arrival is not None]
    return GroupFigures(
        sent=sum(len(crowd.flights) for crowd in crowds),
        accepted=sum(crowd.acknowledged for crowd in crowds),
        delivered=sum(crowd.arrived for crowd in crowds),
        delivered_per_second=sum(crowd.arrived_in_span for crowd in crowds) / load.seconds,
        repeated=sum(crowd.repeated for crowd in crowds),
        disordered=sum(crowd.disordered for crowd in crowds),
        missing=sum(crowd.missing for crowd in crowds),
        acknowledged_ms=compute_quantiles(acknowledged),
        last_arrival_ms=compute_quantiles(last_arrivals),
    )


def compute_quantiles(seconds: Sequence[float]) -> Quantiles:
    """Nearest-rank quantiles of a list of seconds, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return Quantiles(p50=None, p95=None, p99=None, longest=None)

    def at(share: float) -> float:
        rank = max(0, -int(-share * len(ordered) // 1) - 1)
        return 1000 * ordered[rank]

    return Quantiles(p50=at(0.50), p95=at(0.95), p99=at(0.99), longest=1000 * ordered[-1])


def format_quantiles(quantiles: Quantiles) -> str:
    """Median, 95 and 99 %, such as "3.1 / 4.0 / 9.7"."""
    return " / ".join("-" if at is None else f"{at:.1f}" for at in (quantiles.p50, quantiles.p95, quantiles.p99))


def format_table(figures: LoadFigures) -> str:
    """What an operator reads at the end."""
    rows = _pair_rows(figures) if figures.load.pairs else []
    rows += _group_rows(figures.groups) if figures.groups else []
    rows += [(f"refused: {code}", f"{count:,}") for code, count in sorted(figures.refusals.items())]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _pair_rows(figures: LoadFigures) -> list[tuple[str, str]]:
    rows = [
        ("sent", f"{figures.sent:,}"),
        ("accepted (✓)", f"{figures.accepted:,}   {figures.accepted_per_second:,.0f}/s"),
        ("delivered (✓✓)", f"{figures.delivered:,}   {figures.delivered_per_second:,.0f}/s"),
        ("until ✓, ms p50 / p95 / p99", format_quantiles(figures.acknowledged_ms)),
        ("until arrival", format_quantiles(figures.arrived_ms)),
        ("until ✓✓", format_quantiles(figures.delivered_ms)),
    ]
    if figures.drain_seconds is not None:
        rows.append(("drained after return", f"{figures.drained:,} in {figures.drain_seconds:.1f} s"))
    rows.append(("arrived again", f"{figures.repeated:,}"))
    rows.append(("out of order", f"{figures.disordered:,}"))
    rows.append(("missing", f"{figures.missing:,}"))
    return rows


def _group_rows(groups: GroupFigures) -> list[tuple[str, str]]:
    return [
        ("to groups: sent", f"{groups.sent:,}"),
        ("to groups: accepted (✓)", f"{groups.accepted:,}"),
        ("to groups: deliveries", f"{groups.delivered:,}   {groups.delivered_per_second:,.0f}/s"),
        ("to groups: until ✓, ms p50 / p95 / p99", format_quantiles(groups.acknowledged_ms)),
        ("to groups: until the last member", format_quantiles(groups.last_arrival_ms)),
        ("to groups: arrived again", f"{groups.repeated:,}"),
        ("to groups: out of order", f"{groups.disordered:,}"),
        ("to groups: missing", f"{groups.missing:,}"),
    ]
