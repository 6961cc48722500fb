"""Hosts: each keeps one process running, as a supervisor does, and has a clock that may be wrong."""

import asyncio
from collections.abc import Callable

from tests.simulation.actors import Actor
from tests.simulation.processes import Process
from tests.simulation.trace import Trace
from tests.simulation.virtual_time import VirtualLoop

RESTART_SECONDS = 0.5


class Host:
    """Where the process ``name`` runs. One that died by itself is started again a moment later."""

    def __init__(
        self,
        name: str,
        actor: Actor,
        trace: Trace,
        loop: VirtualLoop,
        count: Callable[[str], object],
        clock_error: float,
    ) -> None:
        self.name = name
        self.process: Process | None = None
        self._actor = actor
        self._trace = trace
        self._loop = loop
        self._count = count
        self._clock_error = clock_error
        self._is_wanted = False

    def start(self) -> None:
        """Start it, unless it runs."""
        self._is_wanted = True
        if self.process is None:
            process = self.process = Process(self.name)
            process.clock_error = self._clock_error
            process.on_death(lambda: self._note_death(process))
            self._trace.note(self.name, "starts")
            self._actor.begin(process)

    def kill(self) -> None:
        """kill -9; it stays away."""
        self._is_wanted = False
        if self.process is not None:
            self.process.kill()

    async def stop(self) -> None:
        """SIGTERM, and kill -9 where that does not help; it stays away."""
        self._is_wanted = False
        process = self.process
        if process is not None:
            self._trace.note(self.name, "is asked to end")
            await self._actor.end(process)
            process.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        if self.process is not None:
            self.process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        if self.process is not None:
            self.process.resume(self._loop)

    def step_clock(self, seconds: float) -> None:
        """Set the wall clock by so much."""
        self._clock_error += seconds
        if self.process is not None:
            self.process.clock_error = self._clock_error

    def _note_death(self, process: Process) -> None:
        self._trace.note(self.name, "is dead")
        if self.process is process:
            self.process = None
            if self._is_wanted:
                self._count("process started again by its supervisor")
                self._loop.call_later(RESTART_SECONDS, self._start_again)

    def _start_again(self) -> None:
        if self._is_wanted:
            self.start()


async def settle(hosts: dict[str, Host]) -> None:
    """Start whatever is not running."""
    for host in hosts.values():
        host.resume()
        host.start()
    await asyncio.sleep(0)
