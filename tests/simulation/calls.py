"""Every call of a process to a server passes here, and may be delayed, refused, lost, or be its process's last."""

import asyncio
import contextvars
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from tests.simulation.plan import CallDice, CallFault, CallOutcome, Plan
from tests.simulation.processes import Process, current_process
from tests.simulation.trace import Trace

Answer = TypeVar("Answer")

LEAST_LATENCY, MOST_LATENCY = 0.0001, 0.002
LONGEST_DELAY = 0.4
SLOW_SECONDS = 0.6
NO_LIMIT = 3600.0


@dataclass(frozen=True, slots=True)
class Errors:
    """What a server's client raises: nobody there, no answer in time, connection lost meanwhile, no space left."""

    refused: Callable[[str], Exception]
    timed_out: Callable[[str], Exception]
    lost: Callable[[str], Exception]
    full: Callable[[str], Exception]


class Server:
    """A server's standing with all that call it."""

    def __init__(self, name: str, errors: Errors) -> None:
        self.name = name
        self.errors = errors
        self.is_down = False  # refuses every connection
        self.is_full = False  # refuses to write
        self.latency = 0.0
        self.incarnation = 0  # raised at each end of it: who waits for an answer gets none
        self._running = asyncio.Event()
        self._running.set()
        self._ended = asyncio.Event()

    @property
    def is_paused(self) -> bool:
        """Whether it is frozen."""
        return not self._running.is_set()

    def pause(self) -> None:
        """Freeze: who calls waits."""
        self._running.clear()

    def resume(self) -> None:
        """Go on with what was asked meanwhile, also by those who gave up waiting."""
        self._running.set()

    def end(self) -> None:
        """Die, or lose all connections: whoever waits for an answer gets none."""
        self.incarnation += 1
        self._ended.set()
        self._ended = asyncio.Event()
        self._running.set()

    async def wait_change(self, changed: asyncio.Event, seconds: float) -> None:
        """Wait for a change, for at most so long. Raises what the loss of a connection raises when it ends."""
        ended = self._ended
        waiting = [asyncio.ensure_future(event.wait()) for event in (changed, ended)]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        if ended.is_set():
            raise self.errors.lost(f"{self.name} went away")

    def check_up(self) -> None:
        """Raise what a refused connection raises, where it is down."""
        if self.is_down:
            raise self.errors.refused(f"{self.name} refuses connections")

    async def wait_running(self) -> None:
        """Wait while it is frozen. Raises what the loss of a connection raises when it ends meanwhile."""
        incarnation = self.incarnation
        while self.is_paused:
            await self._running.wait()
        if self.incarnation != incarnation:
            raise self.errors.lost(f"{self.name} went away")


class Calls:
    """The way from processes to servers. ``counts`` says what befell how many calls, ``struck`` which ones."""

    def __init__(self, plan: Plan, trace: Trace) -> None:
        self.counts: Counter[str] = Counter()
        self.struck: list[CallFault] = []
        self.strikes = True
        self._dice = CallDice(plan)
        self.seed = plan.seed
        self._numbers: Counter[str] = Counter()
        self._trace = trace

    async def make(
        self, server: Server, what: str, effect: Callable[[], Answer], *, patience: float, writes: bool = True
    ) -> Answer:
        """Let ``effect`` happen at the server and give its answer, within ``patience`` seconds.

        Raises what the server's client would.
        """
        process = current_process.get()
        name, number = self._count(process)
        outcome = self._dice.draw(name, number) if self.strikes and process is not None else None
        if outcome is not None:
            self._note(name, number, outcome, server, what)
        if process is not None and process.is_doomed:
            await self._die()
        fraction = self._fraction(name, number)
        if outcome is CallOutcome.DELAYED:
            await asyncio.sleep(LONGEST_DELAY * fraction)
        try:
            # Answers come at once but from a frozen server: only then it matters how long anybody waits.
            return await self._pass(server, effect, fraction, outcome, patience=patience, writes=writes)
        except TimeoutError:
            self._trace.note(name, f"{server.name}: {what} → no answer for {patience:g} s")
            raise server.errors.timed_out(f"{server.name} did not answer") from None

    def make_at_once(self, server: Server, what: str, effect: Callable[[], Answer], *, writes: bool = True) -> Answer:
        """The same where nobody else may have a turn, as within a transaction.

        A process that is to die at it dies at its next call that may wait.
        """
        process = current_process.get()
        name, number = self._count(process)
        outcome = self._dice.draw(name, number) if self.strikes and process is not None else None
        if outcome is CallOutcome.DELAYED:
            outcome = None
        self._check(server, writes=writes)
        if outcome is not None:
            self._note(name, number, outcome, server, what)
        if process is not None and outcome in (CallOutcome.KILLED_BEFORE, CallOutcome.KILLED_AFTER):
            process.is_doomed = True
        if outcome in (CallOutcome.REFUSED, CallOutcome.KILLED_BEFORE):
            raise server.errors.lost(f"{server.name} went away")
        answer = effect()
        if outcome is CallOutcome.ANSWER_LOST:
            raise server.errors.lost(f"{server.name} went away")
        return answer

    async def knock(self, server: Server, what: str, *, writes: bool) -> None:
        """Come to a server whose work is done at once: the way there, and whether it takes anything.

        Raises what the server's client would.
        """
        await self.make(server, what, lambda: None, patience=NO_LIMIT, writes=writes)

    async def _pass(
        self,
        server: Server,
        effect: Callable[[], Answer],
        fraction: float,
        outcome: CallOutcome | None,
        *,
        patience: float,
        writes: bool,
    ) -> Answer:
        latency = LEAST_LATENCY + (MOST_LATENCY - LEAST_LATENCY) * fraction + server.latency
        await asyncio.sleep(latency)
        self._check(server, writes=writes)
        if outcome is CallOutcome.REFUSED:
            raise server.errors.lost(f"{server.name} went away")
        if outcome is CallOutcome.KILLED_BEFORE:
            await self._die()
        if server.is_paused:
            later = self._run_later(server, effect, writes=writes)
            async with asyncio.timeout(patience):
                task = asyncio.get_running_loop().create_task(later, context=contextvars.Context())
                answer = await asyncio.shield(task)
        else:
            answer = effect()
        if outcome is CallOutcome.ANSWER_LOST:
            raise server.errors.lost(f"{server.name} went away")
        if outcome is CallOutcome.KILLED_AFTER:
            await self._die()
        incarnation = server.incarnation
        await asyncio.sleep(latency)
        if server.incarnation != incarnation:
            raise server.errors.lost(f"{server.name} went away")
        if server.is_paused:
            async with asyncio.timeout(patience):
                await server.wait_running()
        return answer

    async def _run_later(self, server: Server, effect: Callable[[], Answer], *, writes: bool) -> Answer:
        """A command that stands in a frozen server's socket is run when it goes on, whoever still waits for it."""
        await server.wait_running()
        self._check(server, writes=writes)
        return effect()

    @staticmethod
    def _check(server: Server, *, writes: bool) -> None:
        server.check_up()
        if server.is_full and writes:
            raise server.errors.full(f"{server.name} has no space left")

    @staticmethod
    async def _die() -> NoReturn:
        """The calling process is no more; nothing of it goes on."""
        process = current_process.get()
        assert process is not None
        process.kill()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a dead process went on")

    def _count(self, process: Process | None) -> tuple[str, int]:
        name = process.name if process is not None else "the world"
        self._numbers[name] += 1
        return name, self._numbers[name]

    def _note(self, name: str, number: int, outcome: CallOutcome, server: Server, what: str) -> None:
        self.counts[f"call {outcome}"] += 1
        self.struck.append(CallFault(actor=name, number=number, outcome=outcome))
        self._trace.note(name, f"call {number} to {server.name}, {what}: {outcome}")

    def _fraction(self, name: str, number: int) -> float:
        digest = hashlib.blake2b(f"latency {self.seed} {name} {number}".encode(), digest_size=4).digest()
        return int.from_bytes(digest) / 2**32
