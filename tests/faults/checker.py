"""Judges the histories of all clients of a run against what the contract promises.

It believes nothing but what the clients saw. Contents must be unique within a run, since only they tell one message
that the server stored twice from two messages.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from tests.client.history import History, SentMessage, ShownMessage

EXAMPLES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise: which, and what was seen."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict on one run."""

    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        return not self.findings

    def text(self) -> str:
        """The report for people: the counts, then each kind of finding with its first examples."""
        lines = [", ".join(f"{value:,} {name}" for name, value in self.counts.items())]
        by_kind: dict[str, list[str]] = defaultdict(list)
        for finding in self.findings:
            by_kind[finding.kind].append(finding.detail)
        for kind, details in by_kind.items():
            lines.append(f"{kind}: {len(details)}")
            lines += [f"  {detail}" for detail in details[:EXAMPLES_SHOWN]]
        lines.append("every promise held" if self.is_clean else f"BROKEN: {len(self.findings)} findings")
        return "\n".join(lines)

    def json(self) -> bytes:
        """The whole report as JSON, every finding included."""
        return orjson.dumps(
            {
                "clean": self.is_clean,
                "counts": dict(self.counts),
                "findings": [{"kind": finding.kind, "detail": finding.detail} for finding in self.findings],
            },
            option=orjson.OPT_INDENT_2,
        )


class Run:
    """The histories of one run, indexed for the checks."""

    def __init__(self, histories: Sequence[History]) -> None:
        self.histories = histories
        self.sent: dict[str, tuple[History, SentMessage]] = {}  # by content
        self.devices: dict[str, list[History]] = defaultdict(list)  # by user
        for history in histories:
            self.devices[history.user_id].append(history)
            for message in history.sent.values():
                if message.content in self.sent:
                    raise ValueError(f"the content {message.content!r} was sent twice: this run cannot be judged")
                self.sent[message.content] = (history, message)
        self.shown: dict[History, dict[str, list[ShownMessage]]] = {}  # by content
        for history in histories:
            by_content: dict[str, list[ShownMessage]] = defaultdict(list)
            for shown in history.shown.values():
                by_content[shown.content].append(shown)
            self.shown[history] = by_content

    def copies(self, sender: History, message: SentMessage) -> Iterator[History]:
        """The devices that must show a message: the receiver's, and the sender's other ones."""
        yield from self.devices[message.receiver_id]
        yield from (device for device in self.devices[sender.user_id] if device is not sender)


def check(histories: Sequence[History], waiting: Mapping[str, int] | None = None) -> Report:
    """Judge a run that has come to rest; `waiting` are the inbox entries that the server still holds, by inbox.

    Raises ValueError when two messages of the run have the same content.
    """
    run = Run(histories)
    findings = [finding for find in CHECKS for finding in find(run)]
    findings += [
        Finding(kind="left in an inbox", detail=f"{key}: {count}") for key, count in (waiting or {}).items() if count
    ]
    return Report(counts=count_events(run), findings=tuple(findings))


def count_events(run: Run) -> dict[str, int]:
    """How much happened, so that a clean report of an empty run does not look like a proof."""
    messages = [message for _, message in run.sent.values()]
    return {
        "clients": len(run.histories),
        "sent": len(messages),
        "acknowledged": sum(message.is_acknowledged for message in messages),
        "delivered": sum(message.delivered_at is not None for message in messages),
        "refused": sum(message.is_refused for message in messages),
        "sent again": sum(max(0, len(message.attempts) - 1) for message in messages),
        "shown": sum(len(history.shown) for history in run.histories),
        "repeats dropped": sum(shown.repeats for history in run.histories for shown in history.shown.values()),
        "connections": sum(len(history.closes) for history in run.histories),
    }


# --- The promises -----------------------------------------------------------------------------------------------


def find_lost(run: Run) -> Iterator[Finding]:
    """After ✓ a message reaches every device of the receiver, unless it was withdrawn."""
    for sender, message in run.sent.values():
        if not message.is_acknowledged or message.is_refused:
            continue
        for device in run.copies(sender, message):
            if not run.shown[device][message.content]:
                yield Finding(kind="lost", detail=f"{describe(message)} has ✓ and never came to {device.device_id}")


def find_doubled(run: Run) -> Iterator[Finding]:
    """A client that drops the ids it has seen shows each message once."""
    for device in run.histories:
        for content, copies in run.shown[device].items():
            if len(copies) > 1:
                ids = ", ".join(copy.message_id for copy in copies)
                yield Finding(kind="doubled", detail=f"{content!r} came to {device.device_id} as {ids}")


def find_invented(run: Run) -> Iterator[Finding]:
    """What is shown was sent, by that sender and to that device; a repeated id never changes its words."""
    for device in run.histories:
        for shown in device.shown.values():
            known = run.sent.get(shown.content)
            if known is None or known[0].user_id != shown.sender_id or device not in set(run.copies(*known)):
                yield Finding(
                    kind="invented", detail=f"{device.device_id} shows {shown.content!r} by {shown.sender_id}"
                )
        for frame in device.conflicting_repeats:
            yield Finding(kind="changed", detail=f"{frame['message_id']} came to {device.device_id} with other words")


def find_unacknowledged(run: Run) -> Iterator[Finding]:
    """At rest every message has ✓ or was refused."""
    for _, message in run.sent.values():
        if not message.is_acknowledged and not message.is_refused:
            yield Finding(kind="no ✓", detail=f"{describe(message)} after {len(message.attempts)} attempts")


def find_undelivered(run: Run) -> Iterator[Finding]:
    """At rest every ✓✓ has come to the sender, on each of its devices."""
    for sender, message in run.sent.values():
        if not message.is_acknowledged or message.is_refused:
            continue
        if message.delivered_at is None:
            yield Finding(kind="no ✓✓", detail=f"{describe(message)} on the sending device {sender.device_id}")
        for device in run.devices[sender.user_id]:
            if device is not sender and message.message_id not in device.delivered_ids:
                yield Finding(kind="no ✓✓", detail=f"{describe(message)} on the other device {device.device_id}")


def find_disordered(run: Run) -> Iterator[Finding]:
    """First arrivals of a conversation come by rising sequence, on every device."""
    for device in run.histories:
        newest: dict[str, ShownMessage] = {}
        for shown in device.shown.values():
            own_copy = shown.sender_id == device.user_id and shown.receiver_id is not None
            peer = str(shown.receiver_id) if own_copy else shown.sender_id
            last = newest.get(peer)
            if last is not None and shown.sequence <= last.sequence:
                yield Finding(
                    kind="disordered",
                    detail=f"{device.device_id}: {shown.content!r} ({shown.sequence}) came after "
                    f"{last.content!r} ({last.sequence})",
                )
            else:
                newest[peer] = shown


def find_disagreement(run: Run) -> Iterator[Finding]:
    """Both ends know a message by the same id and sequence; the last ✓ stands."""
    for sender, message in run.sent.values():
        for device in run.copies(sender, message):
            for shown in run.shown[device][message.content]:
                if message.sequence is not None and shown.sequence != message.sequence:
                    yield Finding(
                        kind="two orders",
                        detail=f"{describe(message)}: sequence {message.sequence} at the sender, "
                        f"{shown.sequence} at {device.device_id}",
                    )
                if message.message_id is not None and shown.message_id != message.message_id:
                    yield Finding(
                        kind="two ids", detail=f"{describe(message)} is {shown.message_id} at {device.device_id}"
                    )


def find_shared_sequences(run: Run) -> Iterator[Finding]:
    """No two messages of a conversation have the same sequence."""
    taken: Counter[tuple[frozenset[str], int]] = Counter()
    for sender, message in run.sent.values():
        if message.sequence is not None:
            taken[frozenset((sender.user_id, message.receiver_id)), message.sequence] += 1
    for (people, sequence), times in taken.items():
        if times > 1:
            detail = f"{sequence} was given to {times} messages between {' and '.join(sorted(people))}"
            yield Finding(kind="shared sequence", detail=detail)


def find_overtaken(run: Run) -> Iterator[Finding]:
    """Frames of one connection to one conversation are appended in the order sent, where each was sent once."""
    for history in run.histories:
        newest: dict[tuple[str, int], SentMessage] = {}
        for message in history.sent.values():
            if len(message.attempts) != 1 or message.errors or message.sequence is None:
                continue
            key = (message.receiver_id, message.attempts[0].connection)
            last = newest.get(key)
            if last is not None and last.sequence is not None and message.sequence < last.sequence:
                yield Finding(kind="overtaken", detail=f"{describe(message)} stands before the older {describe(last)}")
            else:
                newest[key] = message


CHECKS: tuple[Callable[[Run], Iterator[Finding]], ...] = (
    find_lost,
    find_doubled,
    find_invented,
    find_unacknowledged,
    find_undelivered,
    find_disordered,
    find_disagreement,
    find_shared_sequences,
    find_overtaken,
)


def describe(message: SentMessage) -> str:
    """A message by its words and the id that stands."""
    return f"{message.content!r} ({message.message_id})"
