"""How long people waited in a run: for ✓, for the message to arrive, and through the longest pause of all ✓."""

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


def _longest(waits: Iterable[float]) -> float:
    return max(waits, default=0.0)
