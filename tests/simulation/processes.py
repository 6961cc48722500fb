"""The simulated processes: what runs, is paused or is dead, and whose turn it is."""

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Generator
from enum import Enum, auto
from typing import Any, Protocol


class _State(Enum):
    RUNNING = auto()
    PAUSED = auto()
    DEAD = auto()


class Resumer(Protocol):
    """The loop: it does what a process had to do while it was paused."""

    def run_again(self, handles: list[asyncio.Handle]) -> None:
        """Do these next."""


class Process:
    """One life of a process: made anew at each start. ``name`` stays the same over all lives.

    ``clock_error`` is by how many seconds its host's wall clock is ahead. A dead process does nothing more, not even
    its ``finally`` blocks: that is what kill -9 means.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock_error = 0.0
        self.is_doomed = False  # it dies at its next call
        self.gateway: Any = None  # of a gateway's process
        self.stop: Callable[[], None] = lambda: None  # of a relay's process
        self.ended = asyncio.Event()
        self.data: dict[str, Any] = {}  # what its command holds on to
        self._state = _State.RUNNING
        self._parked: list[asyncio.Handle] = []
        self._on_death: list[Callable[[], None]] = []

    @property
    def is_dead(self) -> bool:
        """Whether it was killed."""
        return self._state is _State.DEAD

    @property
    def is_paused(self) -> bool:
        """Whether it is frozen."""
        return self._state is _State.PAUSED

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin something that this process does."""
        context = contextvars.copy_context()
        context.run(current_process.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def on_death(self, tell: Callable[[], None]) -> None:
        """Call this when it is killed: the kernel closes its connections."""
        self._on_death.append(tell)

    def kill(self) -> None:
        """End it where it stands."""
        if self._state is not _State.DEAD:
            self._state = _State.DEAD
            contextvars.Context().run(self._tell_death)

    def _tell_death(self) -> None:
        """What follows is the kernels' and the supervisor's doing, not its own."""
        for tell in self._on_death:
            tell()

    def pause(self) -> None:
        """Freeze it where it stands."""
        if self._state is _State.RUNNING:
            self._state = _State.PAUSED

    def resume(self, loop: Resumer) -> None:
        """Let it go on as if nothing had been."""
        if self._state is _State.PAUSED:
            self._state = _State.RUNNING
            parked, self._parked = self._parked, []
            loop.run_again(parked)

    def revive(self, loop: Resumer) -> None:
        """The run is over: whatever it had can be ended in good order."""
        self._state = _State.PAUSED
        self.resume(loop)

    def may_run(self, handle: asyncio.Handle) -> bool:
        """Whether something may be done now; what a paused process cannot do it will do when it goes on.

        A dead one never goes on: it is kept, so that nothing of it is thrown away in the midst of the run.
        """
        if self._state is not _State.RUNNING:
            self._parked.append(handle)
        return self._state is _State.RUNNING


current_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("current_process", default=None)
"""Whose code runs; None for people's devices and the world itself."""

WORLD = contextvars.Context()
"""Of what happens by itself: frames in flight arrive whether or not who sent them still lives."""


@contextlib.contextmanager
def outside_processes() -> Generator[None]:
    """For the block, what runs is a server of the world: its clock is its own."""
    token = current_process.set(None)
    try:
        yield
    finally:
        current_process.reset(token)
