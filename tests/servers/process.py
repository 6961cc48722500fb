"""One server process that a test may kill, pause and start again."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from apps.operations.tether import die_with_parent
from tests.client.processes import wait_until

T = TypeVar("T")

FurtherVariables = Callable[[str], Mapping[str, str]]
"""What a process of this name is to find in its environment beside the rest."""

START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
OUTPUT_SHOWN = 4000  # characters

# The kernel kills a tethered child when the *thread* that forked it ends; this one lives as long as the interpreter.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def no_variables(name: str) -> Mapping[str, str]:
    """Nothing further."""
    return {}


class ServerProcess:
    """A process in its folder, with its output in a file there; it dies with this interpreter.

    `user` is whom it runs as, where that is not oneself. `is_ready` tells whether the server serves.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        is_ready: Callable[[], bool],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_timeout: float = STOP_TIMEOUT,
    ) -> None:
        self.name = name
        self.folder = folder
        self._command = list(command)
        self._is_ready = is_ready
        self._environment = environment
        self._user = user
        self._stop_signal = stop_signal
        self._stop_timeout = stop_timeout
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises LookupError before the first start."""
        if self._process is None:
            raise LookupError(f"{self.name} was not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def serves(self) -> bool:
        """Whether it runs and answers."""
        return self.is_running and self._is_ready()

    @property
    def output(self) -> str:
        """Everything it has printed, over all its starts."""
        path = self._output_path
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def _output_path(self) -> Path:
        return self.folder / f"{self.name}.out"

    def start(self) -> None:
        """Start it without waiting. Raises RuntimeError where it runs already."""
        if self.is_running:
            raise RuntimeError(f"{self.name} runs already")
        self._process = _SPAWNER.submit(self._spawn).result()

    def wait_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Wait until it serves; raises RuntimeError with its output when it has ended, TimeoutError after `timeout`."""

        def probe() -> bool:
            if not self.is_running:
                raise RuntimeError(f"{self.name} ended:\n{self.output[-OUTPUT_SHOWN:]}")
            return self._is_ready()

        try:
            wait_until(probe, f"a {self.name} that serves", timeout)
        except TimeoutError as error:
            error.add_note(self.output[-OUTPUT_SHOWN:])
            raise

    def restart(self, timeout: float = START_TIMEOUT) -> None:
        """Start it again after it ended or was killed, on the same data, and wait until it serves."""
        self.start()
        self.wait_ready(timeout)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing, from when this returns."""
        self.signal(signal.SIGSTOP)
        # The signal reaches one thread after the other; the kernel tells the parent when all stand still.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def wait(self, timeout: float) -> int:
        """Wait for its end by itself and give the exit code; raises subprocess.TimeoutExpired after `timeout` s."""
        if self._process is None:
            raise LookupError(f"{self.name} was not started")
        return self._process.wait(timeout)

    def stop(self) -> int | None:
        """Ask it to end, kill it where it does not; gives the exit code, None where it never ran."""
        if self._process is None or not self.is_running:
            return None if self._process is None else self._process.returncode
        self.resume()  # a paused process would not hear the next signal
        self.signal(self._stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(self._stop_timeout)
        self.kill()
        return self._process.returncode

    def _spawn(self) -> "subprocess.Popen[bytes]":
        parent = os.getpid()
        with self._output_path.open("ab") as output:
            return subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=None if self._environment is None else dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                preexec_fn=lambda: die_with_parent(parent),
            )


class SingleServer:
    """A server that is one process."""

    def __init__(self, process: ServerProcess) -> None:
        self.process = process

    def pause(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        self.process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.process.resume()

    def kill(self) -> None:
        """kill -9; what it had on disk stays."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again after a kill, on what it had on disk."""
        self.process.restart()


@contextlib.contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """A temporary folder for a server; it is kept, and named, when the block fails."""
    folder = Path(tempfile.mkdtemp(prefix=f"chat-{name}-", dir="/tmp"))  # short: unix sockets may lie in it
    failed = False
    try:
        yield folder
    except Exception as error:
        failed = True
        error.add_note(f"folder of {name}: {folder}")
        raise
    finally:
        if not failed:
            shutil.rmtree(folder)


@contextlib.contextmanager
def running(*processes: ServerProcess, timeout: float = START_TIMEOUT) -> Iterator[None]:
    """Start these processes at once, wait until all serve, and stop all of them in the end."""
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.wait_ready(timeout)
        yield
    finally:
        for process in processes:
            process.stop()
