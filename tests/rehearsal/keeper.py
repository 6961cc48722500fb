"""Starts processes again that have ended, as the container engine does with ``restart: unless-stopped``."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

from tests.servers.process import ServerProcess

LOOK_SECONDS = 0.1
RESTART_PAUSE_SECONDS = 1.0  # from one start of a process to its next


class Keeper:
    """Looks after processes from a thread of its own; use as a context manager, which stops them all in the end."""

    def __init__(self) -> None:
        self.restarts: Counter[str] = Counter()
        """How often each process ended without being asked to, and was started again."""
        self._kept: dict[str, ServerProcess] = {}
        self._started_at: dict[str, float] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="keeper", daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for process in reversed(self._kept.values()):
            process.stop()

    def start(self, *processes: ServerProcess) -> None:
        """Start processes, wait until all serve, and keep them from then on. Raises as `ServerProcess.wait_ready`."""
        for process in processes:
            process.start()
            # Kept by its name even where it does not get ready, so that it is stopped in the end.
            self._kept[process.name] = process
        for process in processes:
            process.wait_ready()

    def stop(self, process: ServerProcess) -> int | None:
        """Ask a process to end (SIGTERM) and keep it no longer; gives its exit code."""
        with self._lock:
            del self._kept[process.name]
        return process.stop()

    def restart(self, process: ServerProcess) -> int | None:
        """Ask a process to end, then start it again and wait until it serves; gives the exit code of its end."""
        with self.hands_off(process):
            exit_code = process.stop()
            process.restart()
        return exit_code

    @contextlib.contextmanager
    def hands_off(self, process: ServerProcess) -> Iterator[None]:
        """Leave a process alone, dead or alive, within the block."""
        with self._lock:
            del self._kept[process.name]
        try:
            yield
        finally:
            with self._lock:
                self._kept[process.name] = process

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            with self._lock:
                for process in self._kept.values():
                    self._start_again_if_ended(process)

    def _start_again_if_ended(self, process: ServerProcess) -> None:
        now = time.monotonic()
        if process.is_running or now < self._started_at.get(process.name, 0.0) + RESTART_PAUSE_SECONDS:
            return
        self.restarts[process.name] += 1
        self._started_at[process.name] = now
        process.start()
