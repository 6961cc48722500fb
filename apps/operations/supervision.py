"""Runs processes side by side and restarts what dies: Supervisor (supervisord.org) as a library.

Supervisor forks, watches, restarts and stops. Added here: children die with us, restarts come quickly and slow
down when they do not help, and a `Director` that is asked several times a second what to do next.
"""

import os
import shlex
import signal
import time
from collections.abc import Sequence
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from supervisor import events, poller
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.process import Subprocess
from supervisor.states import RUNNING_STATES, ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from apps.operations.console import Console
from apps.operations.tether import die_with_parent

LONGEST_WAIT_SECONDS = 0.1
FIRST_RESTART_DELAY_SECONDS = 0.25
LONGEST_RESTART_DELAY_SECONDS = 10.0
# What ends sooner after its start is started again after a pause that grows, what ends later at once.
SETTLED_SECONDS = 2
# Supervisor closes the descriptors below this number in each child; Python opens all others close-on-exec.
DESCRIPTORS_CLOSED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process to be kept running."""

    name: str
    command: Sequence[str]
    stop_rank: int
    """Parts with a higher rank are stopped, and gone, before those with a lower one."""
    stop_seconds: int
    """How long it may take to stop before it is killed, with its children."""
    runs_once: bool = False
    """It ends by itself and is not started again."""


class Director(Protocol):
    """Decides what a `PartsSupervisor` does."""

    def advance(self, parts: "PartsSupervisor") -> None:
        """Do what is due; called several times a second, so it must be quick."""

    def part_ended(self, parts: "PartsSupervisor", name: str) -> None:
        """Hear that a part ended by itself; it will be started again."""


class PartsSupervisor(Supervisor):
    """Runs `parts` until a signal or `stop`; nothing is started until somebody calls `start`."""

    def __init__(self, parts: Sequence[Part], *, folder: Path, console: Console, director: Director) -> None:
        self._console = console
        self._director = director
        super().__init__(_build_options(parts, folder))

    def run_until_stopped(self) -> None:
        """Run the parts; return when all of them have stopped."""
        try:
            self.main()
        except asyncore.ExitNow:
            return

    def start(self, name: str) -> None:
        """Start the part `name`, if it is not running."""
        process = self._process(name)
        if process.state not in RUNNING_STATES:
            process.spawn()

    def kill(self, name: str) -> None:
        """Kill the part `name` and its children; it is started again like anything that dies."""
        pid = self._process(name).pid
        if pid:
            os.killpg(pid, signal.SIGKILL)

    def running_seconds(self, name: str) -> float:
        """Return how long the part `name` has been running; 0 when it is not."""
        process = self._process(name)
        return time.time() - process.laststart if process.pid else 0.0

    def stop(self) -> None:
        """Stop all parts in order; `run_until_stopped` returns after that."""
        self.options.mood = SupervisorStates.SHUTDOWN

    def runforever(self) -> None:
        """Subscribe to what happens to the parts, then run (called by the library)."""
        events.subscribe(events.ProcessLogEvent, self._on_output)
        events.subscribe(events.ProcessStateEvent, self._on_state)
        super().runforever()

    def tick(self, now: float | None = None) -> None:
        """Let the director act (called by the library in each turn of its loop)."""
        super().tick(now)
        if self.options.mood == SupervisorStates.RUNNING:
            self._director.advance(self)

    def _process(self, name: str) -> Subprocess:
        return self.process_groups[name].processes[name]

    def _on_output(self, event: events.ProcessLogEvent) -> None:
        self._console.pass_on(event.process.config.name, event.data)

    def _on_state(self, event: events.ProcessStateEvent) -> None:
        process, state = event.process, event.process.state
        name: str = process.config.name
        if state in (ProcessStates.BACKOFF, ProcessStates.EXITED, ProcessStates.STOPPED):
            self._console.finish(name)
        if state == ProcessStates.BACKOFF:
            delay = FIRST_RESTART_DELAY_SECONDS * 2 ** min(process.backoff - 1, 10)
            process.delay = time.time() + min(delay, LONGEST_RESTART_DELAY_SECONDS)
        if state in (ProcessStates.BACKOFF, ProcessStates.EXITED) and process.config.autorestart:
            self._director.part_ended(self, name)


class _Options(ServerOptions):
    """Supervisor's options, with children that are tied to this process and a loop that turns often."""

    # The library's command-line entry would set these: no reload has happened yet, and run until stopped.
    first = True
    test = False

    def __init__(self) -> None:
        super().__init__()
        self.poller = _PromptPoller(self)
        self._pid = os.getpid()

    def setpgrp(self) -> None:
        """Prepare a child between fork and exec (called by the library)."""
        super().setpgrp()
        die_with_parent(self._pid)


class _PromptPoller(poller.Poller):
    def poll(self, timeout: float) -> object:
        return super().poll(min(timeout, LONGEST_WAIT_SECONDS))


def _build_options(parts: Sequence[Part], folder: Path) -> ServerOptions:
    """Write Supervisor's configuration into `folder` and have it read."""
    config = RawConfigParser()
    config["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "nocleanup": "true",
        "logfile": _escape(folder / "supervisor.log"),
        "logfile_maxbytes": "1MB",
        "logfile_backups": "1",
        "pidfile": _escape(folder / "supervisor.pid"),
        "minfds": str(DESCRIPTORS_CLOSED),
    }
    for part in parts:
        config[f"program:{part.name}"] = _program(part)
    path = folder / "supervisor.conf"
    with path.open("w") as file:
        config.write(file)
    options = _Options()
    options.realize(["-c", str(path)])
    return options


def _program(part: Part) -> dict[str, str]:
    return {
        "command": _escape(shlex.join(part.command)),
        "priority": str(part.stop_rank),
        "autostart": "false",
        "autorestart": "false" if part.runs_once else "true",
        "startsecs": "0" if part.runs_once else str(SETTLED_SECONDS),
        "startretries": "1000000",
        "stopsignal": "TERM",
        "stopwaitsecs": str(part.stop_seconds),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": "NONE",
        "stdout_events_enabled": "true",
    }


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")
