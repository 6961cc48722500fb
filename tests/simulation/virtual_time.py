"""Virtual time: an event loop whose clock jumps to the next timer, and blocking code that shares its one thread.

Nothing here ever waits. Blocking code runs in a greenlet of an asyncio task: where it would block it calls
``wait_for``, and the loop goes on with everybody else until the answer is there. What a process has to do is done only
while it runs: a paused one keeps it for later, of a dead one it is dropped.
"""

import asyncio
import contextlib
import contextvars
import heapq
import selectors
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

import greenlet

from tests.simulation.processes import Process, current_process

Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

EPOCH = 1_767_225_600.0
"""2026-01-01, where every run begins."""

LONGEST_INSTANT = 200_000
"""Rounds of the loop at one moment of time; more is a run that will never end."""


class Stalled(Exception):
    """Nobody will ever do anything any more, or everybody is busy without time going on."""


class Clock:
    """Virtual seconds since the start of the run."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """The same for everybody."""
        return self.now

    def wall(self) -> float:
        """Seconds since the Unix epoch, as the host of whoever asks believes."""
        process = current_process.get()
        return EPOCH + self.now + (process.clock_error if process is not None else 0.0)


class JumpingSelector(selectors.SelectSelector):
    """Selects nothing, ever: instead of waiting the clock jumps."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Jump over the time that would be waited. Raises Stalled."""
        if timeout is None:
            raise Stalled("everybody waits for somebody else, for ever")
        self._rounds = self._rounds + 1 if timeout <= 0 else 0
        if self._rounds > LONGEST_INSTANT:
            raise Stalled(f"time has stood still at {self._clock.now:.3f} s")
        self._clock.now += max(0.0, timeout)
        return []


class _Handle(asyncio.Handle):
    """Something to do, for whichever process is current in its context."""

    _context: contextvars.Context

    def _run(self) -> None:
        process = self._context.get(current_process)
        if process is None or process.may_run(self):
            super()._run()


class _TimerHandle(asyncio.TimerHandle):
    """The same, later."""

    _context: contextvars.Context

    def _run(self) -> None:
        process = self._context.get(current_process)
        if process is None or process.may_run(self):
            super()._run()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop under virtual time. What goes to an executor runs in a greenlet of this thread."""

    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, clock: Clock) -> None:
        super().__init__(JumpingSelector(clock))
        self._clock = clock
        self.tasks: list[tuple[asyncio.Task[Any], Process | None]] = []

    def time(self) -> float:
        """Virtual seconds."""
        return self._clock.now

    def _call_soon(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Do it at a time of this loop."""
        handle = _TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, handle)
        handle._scheduled = True  # type: ignore[attr-defined]
        return handle

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Begin a task, and keep it: of a dead process nothing may be collected before the end."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        context = options.get("context")
        process = current_process.get() if context is None else context.get(current_process)
        self.tasks.append((task, process))
        return task

    def run_again(self, handles: Sequence[asyncio.Handle]) -> None:
        """What a paused process had to do, now that it runs."""
        self._ready.extend(handles)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], Answer], *args: *Arguments
    ) -> asyncio.Future[Answer]:
        """Run blocking code, in a greenlet."""
        return self.create_task(run_blocking(func, *args))


async def run_blocking(function: Callable[[*Arguments], Answer], *args: *Arguments) -> Answer:
    """Run blocking code whose waits are ``wait_for``. Raises what it raises.

    A cancellation comes out of the ``wait_for`` under way, as CancelledError, which no ``except Exception`` takes.
    """
    work = _Blocking(function)
    context = contextvars.copy_context()
    work.gr_context = context
    wanted = work.switch(*args)
    while not work.dead:
        try:
            answer = await wanted
        except BaseException as error:  # noqa: BLE001 - all of them, cancellation too, belong to who waits
            wanted = work.throw(error)
        else:
            wanted = work.switch(answer)
    return wanted  # type: ignore[no-any-return]


class _Blocking(greenlet.greenlet):  # type: ignore[misc]
    """Blocking code; its parent is the loop."""


def wait_for(waited: Awaitable[Answer]) -> Answer:
    """From blocking code: let others run until this is there. Raises what it raises; RuntimeError elsewhere."""
    work = greenlet.getcurrent()
    if not isinstance(work, _Blocking):
        raise RuntimeError("only blocking code that the loop started can wait for it")
    parent = work.parent
    assert parent is not None
    return parent.switch(waited)  # type: ignore[no-any-return]


def is_blocking() -> bool:
    """Whether blocking code runs, which may wait."""
    return isinstance(greenlet.getcurrent(), _Blocking)


def sleep(seconds: float) -> None:
    """``time.sleep`` for blocking code."""
    wait_for(asyncio.sleep(seconds))


@contextlib.contextmanager
def virtual_time(clock: Clock) -> Generator[None]:
    """For the block, let the module ``time`` tell this clock's time."""
    replacements: Mapping[str, Callable[..., Any]] = {
        "time": clock.wall,
        "time_ns": lambda: int(clock.wall() * 1e9),
        "monotonic": clock.monotonic,
        "monotonic_ns": lambda: int(clock.now * 1e9),
        "perf_counter": clock.monotonic,
        "sleep": sleep,
    }
    originals = {name: getattr(time, name) for name in replacements}
    for name, replacement in replacements.items():
        setattr(time, name, replacement)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(time, name, original)
