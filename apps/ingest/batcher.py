"""Group commit: while one batch becomes durable, the next gathers. No timers: one message waits for nobody when
idle.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from apps.ingest.admission import Done
from apps.ingest.gate import Admitted, Gate, GateError
from apps.ingest.measures import measure_batch, show_depths
from apps.ingest.permissions import AccountDirectory, find_doubtful, list_parties
from apps.ingest.submission import MessageSubmission, Origin, overloaded, unavailable
from apps.ingest.waiting_receipts import WaitingReceipts
from apps.messagelog.base import Entry, LogAppender, LogUnavailable
from apps.observability.metrics import APPEND_SECONDS, PAUSES
from apps.observability.stages import note_stage
from apps.protocol.client_frames import MarkRead, SendMessage

logger = logging.getLogger(__name__)

MAX_QUEUED = 20_000
"""Messages of this process that may wait; the next is ``overloaded``."""

BATCH = 1_000
PAUSE_AFTER_FAILURE_SECONDS = 0.2


class IngestBatcher:
    """One process's way to the log. ``run`` is the one task that owns it; the ``submit_`` methods never wait."""

    def __init__(
        self, *, appender: LogAppender, gate: Gate, directory: AccountDirectory, now_ms: Callable[[], int]
    ) -> None:
        self._appender = appender
        self._gate = gate
        self._directory = directory
        self._messages: deque[MessageSubmission] = deque()
        self._receipts = WaitingReceipts(now_ms)
        self._held: dict[tuple[Origin, str], list[MessageSubmission]] = {}
        self._held_count = 0
        self._lookups: set[asyncio.Task[None]] = set()
        self._looked_up: list[tuple[Sequence[MessageSubmission], bool]] = []
        self._done: list[Done] = []
        self._wake = asyncio.Event()
        self._appending = False
        self._told: set[tuple[str, str]] = set()
        self._unsettled = False
        self._stopping = False

    # -- called by connections ------------------------------------------------------------------------------------

    def submit_message(self, origin: Origin, frame: SendMessage) -> None:
        """Take a message; its sender gets ✓ or an error, always."""
        submission = MessageSubmission(origin, frame)
        if self._unsettled:
            # The last batch's outcome is unknown: nothing newer is promised before it is settled.
            submission.refuse(unavailable())
        elif len(self._messages) + self._held_count >= MAX_QUEUED:
            submission.refuse(overloaded())
        else:
            self._messages.append(submission)
            self._wake.set()

    def submit_confirmation(self, origin: Origin, message_ids: Sequence[str]) -> bool:
        """Take a device's confirmations; False if too many wait: then close the connection, its inbox keeps all."""
        taken = self._receipts.add_confirmation(origin, message_ids)
        self._wake.set()
        return taken

    def submit_read(self, origin: Origin, frame: MarkRead) -> None:
        """Take a read mark; a later one of the same conversation replaces one that still waits."""
        self._receipts.add_read(origin, frame)
        self._wake.set()

    def note_standing(self, origin: Origin, client_key: str) -> None:
        """The relay has told a device what stands for a client id of it. Of anything that is in the log twice the
        first position counts, which only the relay knows: a ✓ for the second, still waiting for its append, would come
        after that and say otherwise, so it is not sent.
        """
        if self._appending:
            self._told.add((origin.device_id, client_key))

    # -- the owning task ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Process batches until ``stop`` was called and all that was taken is done."""
        while True:
            if self._messages or self._receipts or self._done or self._looked_up:
                await self._process_batch()
                show_depths(queued=len(self._messages), held=self._held_count)
            elif self._stopping and not self._lookups:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    def stop(self) -> None:
        """Let ``run`` end once everything taken is done."""
        self._stopping = True
        self._wake.set()

    async def _process_batch(self) -> None:
        self._take_back_held()
        batch = [self._messages.popleft() for _ in range(min(BATCH, len(self._messages)))]
        admitted = await self._pass_gate(batch)
        note_stage("accepted", len(admitted.new), (submission.message_id for submission in admitted.new))
        messages = admitted.new + admitted.unsettled
        entries = [submission.to_entry() for submission in messages] + admitted.questions + self._receipts.take()
        if not entries:
            return
        self._appending = True
        sequences, settled_at_once = await self._append(entries, messages)
        self._appending = False
        self._acknowledge(messages, sequences)
        measure_batch(len(entries), messages)
        if settled_at_once:
            # What was appended twice is not remembered: a retry asks the relay again.
            self._done += [
                submission.to_done(sequence) for submission, sequence in zip(admitted.new, sequences, strict=False)
            ]

    def _acknowledge(self, messages: Sequence[MessageSubmission], sequences: Sequence[int]) -> None:
        told, self._told = self._told, set()
        for submission, sequence in zip(messages, sequences, strict=False):
            if not told or (submission.origin.device_id, submission.client_key) not in told:
                submission.acknowledge(sequence)

    async def _pass_gate(self, batch: list[MessageSubmission]) -> Admitted:
        """Everything of the batch that goes to the log; the rest has been told why not, or is held for a look-up."""
        done, self._done = self._done, []
        try:
            ready = await self._with_known_parties(batch) if batch else []
            return await self._gate.pass_batch(ready, done) if ready or done else Admitted()
        except (GateError, OSError):
            PAUSES["cache"].inc()
            logger.warning("the cache does not answer: %d messages refused", len(batch))
            for submission in batch:
                submission.refuse(unavailable())
            await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS if not self._receipts else 0)
        except Exception:
            # What we did not foresee must not stop this process's way to the log.
            logger.exception("ingest batch of %d messages failed", len(batch))
            for submission in batch:
                submission.refuse(unavailable())
        return Admitted()

    # -- accounts that this process does not know yet -------------------------------------------------------------

    async def _with_known_parties(self, batch: Sequence[MessageSubmission]) -> list[MessageSubmission]:
        """Those of the batch whose accounts are known, and surely where they would be refused. The others wait for the
        database, and with them what comes after them in the same conversation; everybody else goes on."""
        unknown = self._directory.unknown(_parties(batch))
        if unknown:
            await self._directory.learn_from_cache(unknown)
            # Of all, not only of those: somebody else may have been forgotten meanwhile.
            unknown = self._directory.unknown(_parties(batch))
        unknown += self._find_doubtful(batch)
        if not unknown and not self._held:
            return list(batch)
        ready: list[MessageSubmission] = []
        waiting: list[MessageSubmission] = []
        missing = set(unknown)
        for submission in batch:
            key = (submission.origin, submission.conversation_id)
            if key in self._held:
                self._held[key].append(submission)
            elif missing.isdisjoint(_parties([submission])):
                ready.append(submission)
            else:
                self._held[key] = [submission]
                waiting.append(submission)
        self._held_count += len(batch) - len(ready)
        if waiting:
            task = asyncio.create_task(self._look_up(unknown, waiting))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)
        return ready

    def _find_doubtful(self, batch: Sequence[MessageSubmission]) -> list[str]:
        """Accounts on which the database has to be asked before somebody is refused, each once."""
        found = (find_doubtful(one.origin.user_id, one.frame, self._directory) for one in batch)
        return list(dict.fromkeys(user_id for ids in found for user_id in ids))

    async def _look_up(self, user_ids: Sequence[str], waiting: Sequence[MessageSubmission]) -> None:
        """Ask the database; the held ones are taken back before the next batch."""
        failed = False
        try:
            await self._directory.learn_from_database(user_ids)
        except Exception:
            logger.exception("account look-up of %d users failed", len(user_ids))
            failed = True
        self._looked_up.append((waiting, failed))
        self._wake.set()

    def _take_back_held(self) -> None:
        """Held ones go to the front of the queue, or are refused. Only between batches: a running one may hold more."""
        looked_up, self._looked_up = self._looked_up, []
        for waiting, failed in looked_up:
            held = [one for first in waiting for one in self._held.pop((first.origin, first.conversation_id))]
            self._held_count -= len(held)
            if not failed:
                self._messages.extendleft(reversed(held))
                continue
            for submission in held:
                submission.refuse(unavailable())

    # -- the log --------------------------------------------------------------------------------------------------

    async def _append(self, entries: Sequence[Entry], messages: Sequence[MessageSubmission]) -> tuple[list[int], bool]:
        """Append, again and again with the same ids until it is durable. Returns the sequences, and whether once
        sufficed.
        """
        try:
            with APPEND_SECONDS.time():
                return await self._appender.append(entries), True
        except LogUnavailable as error:
            PAUSES["event_log"].inc()
            logger.warning("append of %d records has an unknown outcome: %s", len(entries), error)
        self._unsettled = True
        for submission in [*messages, *self._messages]:
            submission.refuse(unavailable())
        self._messages.clear()
        try:
            while True:
                await self._appender.wait_until_available()
                try:
                    return await self._appender.append(entries), False
                except LogUnavailable as error:
                    logger.warning("append of %d records is still unsettled: %s", len(entries), error)
                    await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)
        finally:
            self._unsettled = False


def _parties(batch: Sequence[MessageSubmission]) -> list[str]:
    """Whose facts decide about each."""
    return [name for submission in batch for name in list_parties(submission.origin.user_id, submission.frame)]
