"""Who may get what: parties, blocks and logouts; and whether a refusal had a reason."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.client.history import RETRYABLE_CODES, History, SentMessage, ShownMessage
from tests.faults.checker.events import Events
from tests.faults.checker.report import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """``owner_id`` took nothing from ``person_id``: asked for and in force from, and lifted and surely over, at these
    times (s of the clock of the histories).
    """

    owner_id: str
    person_id: str
    asked_at: float
    since: float
    until: float = math.inf
    over_at: float = math.inf

    def ends(self, until: float, over_at: float) -> "Block":
        """It was lifted: asked for and surely over at these times."""
        return replace(self, until=min(self.until, until), over_at=over_at)

    def surely_holds(self, begin: float, end: float) -> bool:
        """Whether it was in force for certain, from one time to another."""
        return self.since <= begin and end < self.until

    def may_hold_after(self, moment: float) -> bool:
        """Whether it may have been in force at a time or later."""
        return self.over_at >= moment


def find_without_right(run: Events, blocks: Sequence[Block]) -> Iterator[Finding]:
    """A message comes to its parties only, not after a logout, and not past a block."""
    for device in run.histories:
        for shown in device.shown.values():
            known = run.sent.get(shown.content)
            if known is None:
                continue
            sender, message = known
            if device.user_id not in (message.receiver_id, sender.user_id) or device is sender:
                yield _finding(run, message, f"it came to {device.device_id} of {device.user_id}")
            elif shown.at > device.logged_out_at:
                yield _finding(run, message, f"it came to {device.device_id}, which had logged out")
            elif device.user_id == message.receiver_id and _is_blocked(sender, message, shown, blocks):
                yield _finding(run, message, "the receiver had blocked the sender before it was sent")


def find_refused(run: Events, blocks: Sequence[Block]) -> Iterator[Finding]:
    """A message is refused for good only where a block explains it, or where that was asked for."""
    for sender, message in run.sent.values():
        codes = {error["code"] for error in message.errors} - RETRYABLE_CODES - message.expected_errors
        if "forbidden" in codes and any(
            {one.owner_id, one.person_id} == {sender.user_id, message.receiver_id}
            and one.may_hold_after(message.submitted_at)
            for one in blocks
        ):
            codes -= {"forbidden"}
        for code in sorted(codes):
            yield Finding(kind="refused", detail=f"{run.describe(message)}; refused with {code}")


def _is_blocked(sender: History, message: SentMessage, shown: ShownMessage, blocks: Sequence[Block]) -> bool:
    """Whether a block held from before the message went to the server until after it came: each hop had to see it."""
    return any(
        (one.owner_id, one.person_id) == (message.receiver_id, sender.user_id)
        and one.surely_holds(message.attempts[0].at, shown.at)
        for one in blocks
    )


def _finding(run: Events, message: SentMessage, what: str) -> Finding:
    return Finding(kind="no right", detail=f"{run.describe(message)}; {what}")
