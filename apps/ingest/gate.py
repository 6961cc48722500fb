"""What a batch of messages passes before the log: a literal list of steps, each may refuse with a reason."""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from django.conf import settings

from apps.groups.rules import is_exempt
from apps.ingest.admission import (
    Done,
    Verdict,
    admit,
    count_for_limits,
    count_for_throttle,
    give_back_turns,
    take_turns,
)
from apps.ingest.permissions import AccountDirectory, check_may_send
from apps.ingest.snowflake import CannotIssue, SnowflakeIssuer
from apps.ingest.submission import MessageSubmission, conflicting, overloaded, rate_limited, unavailable
from apps.messagelog.base import Entry
from apps.protocol import ids
from apps.protocol.records import MessageRetried, encode_record
from apps.valkey.pools import ValkeyError

MINUTE_MS = 60_000


@dataclass(slots=True, kw_only=True)
class Admitted:
    """What goes to the log: new messages, repeats whose first append is unsettled, and questions after settled ones."""

    new: list[MessageSubmission] = field(default_factory=list)
    unsettled: list[MessageSubmission] = field(default_factory=list)
    questions: list[Entry] = field(default_factory=list)


class Gate:
    """The steps before the log. ``throttled`` says whether the site-wide throttle is on."""

    def __init__(
        self, *, issuer: SnowflakeIssuer, directory: AccountDirectory, throttled: bool, now_ms: Callable[[], int]
    ) -> None:
        self._issuer = issuer
        self._directory = directory
        self._now_ms = now_ms
        self._steps: list[Callable[[Sequence[MessageSubmission]], Awaitable[None] | None]] = [
            self._check_permissions,
            self._check_own_limits,
            self._issue_ids,
        ]
        if throttled:
            self._steps.append(self._throttle)

    async def pass_batch(self, batch: Sequence[MessageSubmission], done: Sequence[Done]) -> Admitted:
        """Let a batch through; whoever is refused is told. ``done`` is remembered on the way.

        Raises ValkeyError with nobody told.
        """
        for step in self._steps:
            waits = step(batch)
            if waits is not None:
                await waits
        slowed = self._list_slowed(batch)
        turns = await self._take_turns(slowed) if slowed else []
        try:
            verdicts = await admit([submission.to_candidate() for submission in batch], done)
        except ValkeyError:
            # Nothing is sent of what has the turns, and the same will ask for them again.
            with contextlib.suppress(ValkeyError):
                await give_back_turns([_to_turn(one) for one in turns])
            raise
        if turns:
            new = {one for one, verdict in zip(batch, verdicts, strict=True) if verdict.outcome == "new"}
            await give_back_turns([_to_turn(one) for one in turns if one not in new])
        admitted = Admitted()
        taken: dict[str, MessageSubmission] = {}
        for submission, verdict in zip(batch, verdicts, strict=True):
            self._apply_verdict(submission, verdict, admitted, taken)
        return admitted

    def _check_permissions(self, batch: Sequence[MessageSubmission]) -> None:
        for submission in batch:
            submission.refusal = check_may_send(submission.origin.user_id, submission.frame, self._directory)

    def _check_own_limits(self, batch: Sequence[MessageSubmission]) -> Awaitable[None] | None:
        """Nothing is asked, or waited for, unless one of the senders has a limit of their own, or limits are off."""
        if settings.RATE_LIMIT_PER_MINUTE == 0:
            return None
        limited = [one for one in batch if one.refusal is None and self._own_limit(one) is not None]
        return self._count_for_limits(limited) if limited else None

    def _own_limit(self, submission: MessageSubmission) -> int | None:
        facts = self._directory.find(submission.origin.user_id)
        return facts.messages_per_minute if facts is not None else None

    async def _count_for_limits(self, limited: Sequence[MessageSubmission]) -> None:
        now_ms = self._now_ms()
        messages = Counter(one.origin.user_id for one in limited)
        limits = {one.origin.user_id: self._own_limit(one) or 0 for one in limited}
        allowed = await count_for_limits(messages, limits, now_ms // MINUTE_MS)
        for one in limited:
            allowed[one.origin.user_id] -= 1
            if allowed[one.origin.user_id] < 0:
                one.refusal = rate_limited(MINUTE_MS - now_ms % MINUTE_MS)

    def _list_slowed(self, batch: Sequence[MessageSubmission]) -> list[tuple[MessageSubmission, int]]:
        """Messages to groups with slow mode from those for whom it is, with its seconds. Usually there are none, and
        nothing is asked.
        """
        return [
            (one, seconds)
            for one in batch
            if one.refusal is None and one.frame.group_id is not None and (seconds := self._slow_mode_seconds(one))
        ]

    def _slow_mode_seconds(self, submission: MessageSubmission) -> int:
        group_id = submission.frame.group_id or ""
        group = self._directory.find_group(group_id)
        member = self._directory.find_member(group_id, submission.origin.user_id)
        return 0 if group is None or member is None or is_exempt(member.role) else group.slow_mode_seconds

    @staticmethod
    async def _take_turns(slowed: Sequence[tuple[MessageSubmission, int]]) -> list[MessageSubmission]:
        """Those whose turn it is; the others are refused. After all that may refuse them, but before admission, for
        what is admitted is sent: whoever turns out to repeat a message, or is over the rate, gives the turn back.
        """
        waits = await take_turns([(*_to_turn(one), seconds) for one, seconds in slowed])
        for (submission, _), wait_ms in zip(slowed, waits, strict=True):
            if wait_ms:
                submission.refusal = rate_limited(wait_ms)
        return [submission for submission, _ in slowed if submission.refusal is None]

    def _issue_ids(self, batch: Sequence[MessageSubmission]) -> None:
        for submission in batch:
            if submission.refusal is None:
                try:
                    number, submission.timestamp_ms = self._issuer.issue()
                    submission.message_id = ids.message_id(number)
                except CannotIssue:
                    submission.refusal = unavailable()

    async def _throttle(self, batch: Sequence[MessageSubmission]) -> None:
        asking = [submission for submission in batch if submission.refusal is None]
        allowed = await count_for_throttle(len(asking), self._now_ms() // 1000)
        for submission in asking[allowed:]:
            submission.refusal = overloaded()

    @staticmethod
    def _apply_verdict(
        submission: MessageSubmission, verdict: Verdict, admitted: Admitted, taken: dict[str, MessageSubmission]
    ) -> None:
        match verdict.outcome:
            case "conflict":
                submission.refuse(conflicting())
            case "limited":
                submission.refuse(rate_limited(verdict.retry_after_ms))
            case "new" if submission.refusal is not None:
                submission.refuse(submission.refusal)
            case "new":
                taken[submission.message_id] = submission
                admitted.new.append(submission)
            case "pending":
                submission.message_id, submission.timestamp_ms = verdict.message_id, verdict.timestamp_ms
                first = taken.get(verdict.message_id)
                if first is not None:
                    # The same frame twice in one batch: one record answers both.
                    first.twins.append(submission)
                else:
                    admitted.unsettled.append(submission)
            case "done":
                submission.message_id, submission.timestamp_ms = verdict.message_id, verdict.timestamp_ms
                submission.acknowledge(verdict.sequence)
                admitted.questions.append(_to_question(submission))


def _to_turn(submission: MessageSubmission) -> tuple[str, str]:
    """The group in which slow mode gives turns, and whose turn it is."""
    return submission.frame.group_id or "", submission.origin.user_id


def _to_question(submission: MessageSubmission) -> Entry:
    """A record that makes the relay say again how the message stands: ✓✓ if it was delivered."""
    record = MessageRetried(
        message_id=submission.message_id,
        sender_id=submission.origin.user_id,
        sender_device=submission.origin.device_id,
        client_id=submission.client_key,
        receiver_id=submission.frame.receiver_id or "",
    )
    return Entry(key=submission.conversation_id, payload=encode_record(record))


GateError = ValkeyError
"""What ``Gate.pass_batch`` raises: the cache is down."""
