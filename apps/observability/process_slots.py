"""Several processes show their metrics together: each keeps its values in files of a shared folder.

The library names these files by process id, so a part that dies and comes back again and again would fill the folder,
and its counters would have to be summed over the dead. Here a process holds a slot, a locked file: whoever comes
after it takes the slot over, and counts on from where it stopped.
"""

import atexit
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import prometheus_client.values
from prometheus_client import multiprocess

from apps.observability.process import ROLE

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The library's own: where it is set, values are shared. Absent: each process shows its own."""


def shared_folder() -> Path | None:
    """The folder of the processes that show their metrics together, if there is one."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None


def open_shared_folder(folder: Path) -> None:
    """Let the processes started from here on share their metrics in this folder, which is emptied first.

    Raises OSError.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[FOLDER_VARIABLE] = str(folder)


def share_values_between_processes() -> None:
    """Choose where the values of this process's metrics are kept; to be called before the first one is made.

    A Celery worker always shares: its tasks run in children. Raises OSError where the folder cannot be used.
    """
    if ROLE == "worker" and shared_folder() is None:
        own = tempfile.mkdtemp(prefix="chatsite-metrics-")
        atexit.register(shutil.rmtree, own, ignore_errors=True)
        os.environ[FOLDER_VARIABLE] = own
    folder = shared_folder()
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        slots = ProcessSlots(folder)
        prometheus_client.values.ValueClass = prometheus_client.values.MultiProcessValue(  # type: ignore[no-untyped-call]  # its library has no types there
            slots.current
        )


class ProcessSlots:
    """The slots of a folder, from the view of one process and, after a fork, of its child."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slot = ""
        self._lock: int | None = None
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def current(self) -> str:
        """The name of this process's slot, taken at the first call, and anew in a forked child.

        The library asks for it at each count: it must cost nothing.
        """
        return self._slot or self._take()

    def _take(self) -> str:
        for slot in _names():
            lock = try_lock(self._folder, slot)
            if lock is not None:
                self._slot, self._lock = slot, lock
                multiprocess.mark_process_dead(slot, self._folder)  # type: ignore[no-untyped-call]  # its library has no types there
                break
        return self._slot

    def _leave_to_parent(self) -> None:
        if self._lock is not None:
            os.close(self._lock)  # our copy: the parent holds the lock with its own
            self._slot, self._lock = "", None


def _names() -> Iterator[str]:
    role = ROLE.replace("_", "-")  # the library splits the names of its files at underscores
    return (f"{role}-{number}" for number in count(1))


def try_lock(folder: Path, slot: str) -> int | None:
    """Lock a slot until the descriptor returned is closed or the process ends; None where it is held."""
    descriptor = os.open(folder / f"{slot}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def forget_dead_processes(folder: Path) -> None:
    """Remove the gauges of processes that are gone; what they counted stays."""
    for path in glob.glob(str(folder / "*.lock")):
        slot = Path(path).stem
        lock = try_lock(folder, slot)
        if lock is not None:
            # Held while we remove: whoever starts meanwhile takes another slot.
            multiprocess.mark_process_dead(slot, folder)  # type: ignore[no-untyped-call]  # its library has no types there
            os.close(lock)
