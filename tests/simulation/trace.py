"""What happened in a simulated run, line by line, in virtual time."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

NO_CLOCK = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """One line: `at` in virtual seconds since the start of the run, who, and what."""

    at: float
    actor: str
    text: str

    def __str__(self) -> str:
        return f"{self.at:9.3f} s  {self.actor:<22}{self.text}"


class Trace:
    """Takes notes of a run, whose clock it is given by whoever runs it.

    Every note enters the digest, by which two runs compare; the lines are kept only if `keeps` is true.
    """

    def __init__(self, *, keeps: bool = False) -> None:
        self.events: list[Event] = []
        self.keeps = keeps
        self.clock: Callable[[], float] = lambda: NO_CLOCK
        self._digest = hashlib.blake2b(digest_size=16)

    def note(self, actor: str, text: str) -> None:
        """Write down what `actor` did or what befell it."""
        at = self.clock()
        self._digest.update(f"{at:.6f} {actor} {text}\n".encode())
        if self.keeps:
            self.events.append(Event(at, actor, text))

    @property
    def digest(self) -> str:
        """The same for two runs in which exactly the same happened at the same times."""
        return self._digest.hexdigest()

    def about(self, words: Collection[str], actors: Collection[str] = ()) -> Iterator[Event]:
        """The events that name any of the words (message ids, devices), and those of the named actors."""
        for event in self.events:
            if event.actor in actors or any(word in event.text or word in event.actor for word in words):
                yield event
