"""Who may get what: parties, blocks and logouts; and whether a refusal had a reason."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.client.history import RETRYABLE_CODES, History, SentMessage, ShownMessage
from tests.faults.checker.events import Events, list_direct
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


WITHDRAWING_CODES = frozenset({"forbidden", "unknown_receiver", "not_a_member", "failed", "conflict"})

Blocks = Mapping[tuple[str, str], Sequence[Block]]


def find_without_right(run: Events, blocks: Sequence[Block]) -> Iterator[Finding]:
    """A message comes to its parties only, not after a logout, and not past a block."""
    by_pair = _group(blocks)
    for device in run.histories:
        for shown in list_direct(device):
            known = run.sent.get(shown.content)
            if known is None:
                continue
            sender, message = known
            if device.user_id not in (message.receiver_id, sender.user_id) or device is sender:
                yield _finding(run, message, f"it came to {device.device_id} of {device.user_id}")
            elif shown.at > device.logged_out_at:
                yield _finding(run, message, f"it came to {device.device_id}, which had logged out")
            elif device.user_id == message.receiver_id and _is_blocked(sender, message, shown, by_pair):
                yield _finding(run, message, "the receiver had blocked the sender before it was sent")


def find_refused(run: Events, blocks: Sequence[Block]) -> Iterator[Finding]:
    """A message is refused for good only where a block explains it, or where that was asked for."""
    by_pair = _group(blocks)
    for sender, message in run.sent.values():
        codes = {error["code"] for error in message.errors} - RETRYABLE_CODES
        codes |= run.list_late_codes(message) & WITHDRAWING_CODES
        codes -= message.expected_errors
        if "forbidden" in codes and any(
            one.may_hold_after(message.submitted_at)
            for pair in ((sender.user_id, message.receiver_id), (message.receiver_id, sender.user_id))
            for one in by_pair.get(pair, ())
        ):
            codes -= {"forbidden"}
        for code in sorted(codes):
            yield Finding(kind="refused", detail=f"{run.describe(message)}; refused with {code}")


def find_withdrawn(run: Events) -> Iterator[Finding]:
    """After ✓ only an error that ends a message for good may withdraw it, and only of one's own."""
    for _, message in run.sent.values():
        for code in sorted(run.list_late_codes(message) - WITHDRAWING_CODES):
            yield Finding(kind="withdrawn", detail=f"{run.describe(message)}; after ✓, with {code}")
    for (user_id, message_id), codes in run.late_codes.items():
        known = run.by_id.get(message_id)
        if known is not None and known[0].user_id != user_id:
            detail = f"{run.describe(known[1])}; {user_id}, who did not send it, heard {', '.join(sorted(codes))}"
            yield Finding(kind="withdrawn", detail=detail)


def _group(blocks: Sequence[Block]) -> Blocks:
    """Blocks by owner and person: a run has many arrivals, and few blocks of the same two."""
    by_pair: dict[tuple[str, str], list[Block]] = defaultdict(list)
    for one in blocks:
        by_pair[one.owner_id, one.person_id].append(one)
    return by_pair


def _is_blocked(sender: History, message: SentMessage, shown: ShownMessage, blocks: Blocks) -> bool:
    """Whether a block held from before the message went to the server until after it came: each hop had to see it."""
    return any(
        one.surely_holds(message.attempts[0].at, shown.at)
        for one in blocks.get((message.receiver_id, sender.user_id), ())
    )


def _finding(run: Events, message: SentMessage, what: str) -> Finding:
    return Finding(kind="no right", detail=f"{run.describe(message)}; {what}")
