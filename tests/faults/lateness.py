"""How long people waited in a run: for ✓, for messages to arrive, in all and within the windows of single faults."""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.client.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """The longest waits of a run, in seconds; 0 where nothing was waited for."""

    tick: float  # from submitting a message to its first ✓
    arrival: float  # from submitting a message to its first arrival on any device
    pause: float  # between two ✓ that followed each other, over all clients

    def __str__(self) -> str:
        """For people."""
        waits = f"longest wait for ✓ {self.tick:.2f} s, for arrival {self.arrival:.2f} s"
        return f"{waits}; longest pause of ✓ {self.pause:.2f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time of one fault; times are seconds of `time.monotonic()`.

    From `began_at`, when it struck, to `ended_at`, when all parts ran again, to `recovered_at`, when a new message
    between two new connections had ✓✓; None where that did not come while anybody waited, which was until `left_at`.
    """

    kind: str
    target: str
    began_at: float
    ended_at: float
    left_at: float
    recovered_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLateness:
    """What people felt of one kind of fault, in seconds; recovery counts from the end of the fault."""

    kind: str
    times: int
    without_tick: float  # the longest time within a window in which nobody got a ✓
    without_delivery: float  # the same with first arrivals
    recovery_p50: float
    recovery_longest: float
    unrecovered: int


def measure_lateness(histories: Sequence[History], since: float = 0.0) -> Lateness:
    """Measure what was submitted from `since` (of `time.monotonic()`) on; contents have to be unique."""
    sent = [message for history in histories for message in history.sent.values() if message.submitted_at >= since]
    arrivals: dict[str, float] = {}
    for history in histories:
        for shown in history.shown.values():
            arrivals[shown.content] = min(shown.at, arrivals.get(shown.content, shown.at))
    ticks = [(message, message.acknowledgements[0].at) for message in sent if message.acknowledgements]
    arrived = [(message, arrivals[message.content]) for message in sent if message.content in arrivals]
    return Lateness(
        tick=_longest(at - message.submitted_at for message, at in ticks),
        arrival=_longest(at - message.submitted_at for message, at in arrived),
        pause=_longest(after - before for before, after in pairwise(sorted(at for _, at in ticks))),
    )


def measure_faults(histories: Sequence[History], windows: Sequence[Window]) -> list[FaultLateness]:
    """What was felt of each kind of fault, by name."""
    ticks = sorted(
        message.acknowledgements[0].at
        for history in histories
        for message in history.sent.values()
        if message.acknowledgements
    )
    arrivals = sorted(shown.at for history in histories for shown in history.shown.values())
    return [
        _measure_kind(kind, [window for window in windows if window.kind == kind], ticks, arrivals)
        for kind in sorted({window.kind for window in windows})
    ]


def longest_silence(times: Sequence[float], begin: float, end: float) -> float:
    """The longest part of the time from `begin` to `end` in which none of the sorted `times` lies."""
    within = times[bisect_left(times, begin) : bisect_right(times, end)]
    return _longest(after - before for before, after in pairwise([begin, *within, end]))


def _measure_kind(
    kind: str, windows: Sequence[Window], ticks: Sequence[float], arrivals: Sequence[float]
) -> FaultLateness:
    recoveries = [w.recovered_at - w.ended_at for w in windows if w.recovered_at is not None]
    return FaultLateness(
        kind=kind,
        times=len(windows),
        without_tick=_longest(longest_silence(ticks, w.began_at, w.left_at) for w in windows),
        without_delivery=_longest(longest_silence(arrivals, w.began_at, w.left_at) for w in windows),
        recovery_p50=statistics.median(recoveries) if recoveries else 0.0,
        recovery_longest=_longest(recoveries),
        unrecovered=len(windows) - len(recoveries),
    )


def _longest(waits: Iterable[float]) -> float:
    return max(waits, default=0.0)
