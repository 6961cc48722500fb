"""The parts of a site that can be struck, whoever starts them again: the supervisor, the keeper, or the nemesis."""

import contextlib
import random
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import psutil

from tests.client.processes import Role, list_tree, send_signal, wait_until
from tests.client.server import Server
from tests.rehearsal.keeper import Keeper
from tests.servers.process import ServerProcess

BACK_TIMEOUT = 120.0
STILL_TIMEOUT = 60.0


class Part(ABC):
    """A process, or several of one kind that are struck together or one by one."""

    name: str

    @abstractmethod
    def pids(self) -> list[int]:
        """The live processes, children included."""

    @abstractmethod
    def bring_back(self, killed: list[int], before: int) -> None:
        """See to it that `before` processes run and serve again, none of them `killed`. Raises TimeoutError."""

    @abstractmethod
    def left_dead(self) -> AbstractContextManager[None]:
        """Nobody starts it again within this block."""

    @abstractmethod
    def draw_victims(self, rng: random.Random) -> list[int]:
        """Which of its processes die or stop together."""


class EmbeddedPart(Part):
    """The processes of one role under `manage.py up`, which starts them again."""

    def __init__(self, server: Server, role: Role, serves: Callable[[], bool] = lambda: True) -> None:
        self.name = role.value
        self._processes = server.processes
        self._supervisor_pid = server.supervisor_pid
        self._role = role
        self._serves = serves

    def pids(self) -> list[int]:
        """The live processes of the role."""
        return self._processes.pids(self._role)

    def draw_victims(self, rng: random.Random) -> list[int]:
        """One or all."""
        running = self.pids()
        return running if rng.random() < 0.5 else [rng.choice(running)]

    def bring_back(self, killed: list[int], before: int) -> None:
        """Wait for the supervisor."""
        wait_until(
            lambda: len(set(self.pids()) - set(killed)) >= before and self._serves(),
            f"a {self.name} that is back",
            BACK_TIMEOUT,
        )

    @contextlib.contextmanager
    def left_dead(self) -> Iterator[None]:
        """SIGSTOP the supervisor for so long."""
        try:
            pause([self._supervisor_pid])
            yield
        finally:
            resume([self._supervisor_pid])


class ProcessPart(Part):
    """A process with its children, on a host of its own as it were: the nemesis starts it again."""

    def __init__(self, process: ServerProcess) -> None:
        self.name = process.name
        self._process = process

    def pids(self) -> list[int]:
        """The process and all below it."""
        return list_tree(self._process.pid) if self._process.is_running else []

    def draw_victims(self, rng: random.Random) -> list[int]:
        """All of them: the host goes down."""
        return self.pids()

    def bring_back(self, killed: list[int], before: int) -> None:
        """Start it, and wait until it serves."""
        wait_until(lambda: self._process.pid not in killed or not self._process.is_running, f"{self.name}'s end", 60)
        if not self._process.is_running:
            self._process.restart(BACK_TIMEOUT)

    def left_dead(self) -> AbstractContextManager[None]:
        """Nobody would."""
        return contextlib.nullcontext()


class KeptPart(ProcessPart):
    """A process that a keeper starts again."""

    def __init__(self, process: ServerProcess, keeper: Keeper) -> None:
        super().__init__(process)
        self._keeper = keeper

    def draw_victims(self, rng: random.Random) -> list[int]:
        """One, as when the kernel is out of memory, or all, as when its container goes."""
        running = self.pids()
        return running if rng.random() < 0.5 else [rng.choice(running)]

    def bring_back(self, killed: list[int], before: int) -> None:
        """Wait for the keeper."""
        wait_until(
            lambda: self._process.serves and len(set(self.pids()) - set(killed)) >= before,
            f"a {self.name} that is back",
            BACK_TIMEOUT,
        )

    def left_dead(self) -> AbstractContextManager[None]:
        """The keeper looks away."""
        return self._keeper.hands_off(self._process)


def kill(pids: Sequence[int]) -> None:
    """kill -9 these, and wait until they are gone."""
    send_signal(pids, signal.SIGKILL)
    wait_until(lambda: not any(_runs(pid) for pid in pids), "the end of what was killed", STILL_TIMEOUT)


def pause(pids: Sequence[int]) -> None:
    """SIGSTOP these, and wait until they stand still."""
    send_signal(pids, signal.SIGSTOP)
    wait_until(lambda: all(_stands_still(pid) for pid in pids), "standstill of what was paused", STILL_TIMEOUT)


def resume(pids: Sequence[int]) -> None:
    """SIGCONT those of them that are still there."""
    send_signal(pids, signal.SIGCONT)


def _runs(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        # The first thread may be a zombie before the others have ended; until then nobody can reap the process.
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def _stands_still(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
