"""The processes of a running server, by what they do: found, killed and paused like an operator would."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import TypeVar

import psutil

T = TypeVar("T")


class Role(StrEnum):
    """What a process of the embedded profile does."""

    GATEWAY = "gateway"
    RELAY = "relay"
    WORKER = "worker"
    BEAT = "beat"
    CACHE = "cache"
    LOG = "log"


def find_role(command_line: list[str]) -> Role | None:
    """The role that a command line tells, or None for a helper process such as the supervisor."""
    words = " ".join(command_line)
    if "valkey-server" in words:  # it rewrites its command line to its name and socket
        return Role.LOG if "log.sock" in words else Role.CACHE
    if "celery" in words and "beat" in command_line:
        return Role.BEAT
    if "celery" in words and "worker" in command_line:
        return Role.WORKER
    return next((role for role in (Role.GATEWAY, Role.RELAY) if role.value in command_line), None)


class Processes:
    """The descendants of one supervisor process."""

    def __init__(self, supervisor_pid: int) -> None:
        self._supervisor = psutil.Process(supervisor_pid)

    def by_role(self) -> dict[Role, list[int]]:
        """The live process ids of each role; forked children of a worker count as workers."""
        found: dict[Role, list[int]] = {role: [] for role in Role}
        for process in self._supervisor.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                role = find_role(process.cmdline())
                if role is not None and process.status() != psutil.STATUS_ZOMBIE:
                    found[role].append(process.pid)
        return found

    def all_pids(self) -> list[int]:
        """The supervisor and all its descendants."""
        return [self._supervisor.pid, *(process.pid for process in self._supervisor.children(recursive=True))]

    def pids(self, role: Role) -> list[int]:
        """The live process ids of `role`."""
        return self.by_role()[role]

    def kill(self, role: Role) -> list[int]:
        """kill -9 every process of `role`; gives their ids. Raises LookupError when none runs."""
        pids = self.pids(role)
        if not pids:
            raise LookupError(f"no {role} process runs")
        send_signal(pids, signal.SIGKILL)
        return pids

    @contextlib.contextmanager
    def paused(self, role: Role) -> Iterator[list[int]]:
        """SIGSTOP every process of `role` for the length of the block, then SIGCONT."""
        pids = self.pids(role)
        send_signal(pids, signal.SIGSTOP)
        try:
            yield pids
        finally:
            send_signal(pids, signal.SIGCONT)

    def wait_for_new(self, role: Role, old: list[int], timeout: float = 60) -> list[int]:
        """Wait until the supervisor has started `role` again; raises TimeoutError after `timeout` seconds."""
        return wait_until(lambda: [pid for pid in self.pids(role) if pid not in old], f"a new {role} process", timeout)


def list_tree(pid: int) -> list[int]:
    """A process and all below it; nothing where it is gone."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def send_signal(pids: Sequence[int], number: signal.Signals) -> None:
    """Signal each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(probe: Callable[[], T], what: str, timeout: float, every: float = 0.05) -> T:
    """Ask `probe` until it gives something true, and give that; raises TimeoutError naming `what`."""
    deadline = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {timeout} s")
        time.sleep(every)
