"""What clients were promised, judged by their own histories. Never a false alarm: what cannot be known is let pass."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from tests.client.history import SentMessage, ShownMessage
from tests.faults.checker.events import Events, list_direct
from tests.faults.checker.report import Finding


def find_lost(run: Events) -> Iterator[Finding]:
    """After ✓ a message reaches every device of the receiver that was there, and the sender's others; where none was,
    the next one; unless it was withdrawn.
    """
    for sender, message in run.sent.values():
        if not message.is_acknowledged or run.is_refused(message):
            continue
        for device in run.sure_copies(sender, message):
            if not run.shown[device][message.content]:
                detail = f"{run.describe(message)}; it never came to {device.device_id}"
                yield Finding(kind="lost", detail=detail)
        there = [device for device in run.devices[message.receiver_id] if not device.is_logged_out]
        all_came_later = there and all(device.logged_in_at > message.submitted_at for device in there)
        if all_came_later and run.first_shown(message.receiver_id, message.content) is None:
            yield Finding(kind="lost", detail=f"{run.describe(message)}; it came to no device of the receiver")


def find_doubled(run: Events) -> Iterator[Finding]:
    """A client that drops the ids it has seen shows each message once."""
    for device in run.histories:
        for content, copies in run.shown[device].items():
            if len(copies) > 1:
                ids = ", ".join(copy.message_id for copy in copies)
                yield Finding(kind="doubled", detail=f"{content!r} came to {device.device_id} as {ids}")


def find_invented(run: Events) -> Iterator[Finding]:
    """What is shown was sent, by that sender; a repeated id never changes its words."""
    for device in run.histories:
        for shown in list_direct(device):
            known = run.sent.get(shown.content)
            if known is None or known[0].user_id != shown.sender_id:
                yield Finding(
                    kind="invented", detail=f"{device.device_id} shows {shown.content!r} by {shown.sender_id}"
                )
        for frame in device.conflicting_repeats:
            yield Finding(kind="changed", detail=f"{frame['message_id']} came to {device.device_id} with other words")


def find_unacknowledged(run: Events) -> Iterator[Finding]:
    """At rest every message has ✓ or was refused."""
    for sender, message in run.sent.values():
        if not (message.is_acknowledged or message.is_refused or sender.is_logged_out):
            detail = f"{run.describe(message)}; after {len(message.attempts)} attempts"
            yield Finding(kind="no ✓", detail=detail)


def find_undelivered(run: Events) -> Iterator[Finding]:
    """At rest every ✓✓ has come to each device of the sender that was there."""
    for sender, message in run.sent.values():
        if not message.is_acknowledged or run.is_refused(message):
            continue
        if message.delivered_at is None and not sender.is_logged_out:
            yield Finding(kind="no ✓✓", detail=f"{run.describe(message)}; on the sending device {sender.device_id}")
        if run.may_hold_outdated_id(sender, message):
            continue
        for device in run.sure_copies(sender, message):
            if device.user_id == sender.user_id and message.message_id not in device.delivered_ids:
                detail = f"{run.describe(message)}; on the sender's other device {device.device_id}"
                yield Finding(kind="no ✓✓", detail=detail)


def find_false_delivery(run: Events) -> Iterator[Finding]:
    """✓✓ means that a device of the receiver has it."""
    for _, message in run.sent.values():
        if message.delivered_at is None:
            continue
        first = run.first_shown(message.receiver_id, message.content)
        if first is None or first.at > message.delivered_at:
            yield Finding(kind="false ✓✓", detail=run.describe(message))


def find_disordered(run: Events) -> Iterator[Finding]:
    """First arrivals of a conversation come by rising sequence, on every device."""
    for device in run.histories:
        newest: dict[str, ShownMessage] = {}
        for shown in list_direct(device):
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


def find_disagreement(run: Events) -> Iterator[Finding]:
    """Both ends know a message by the same id and sequence; the last ✓ stands, but for a device that logged out, which
    it may not have reached any more.
    """
    for sender, message in run.sent.values():
        if sender.is_logged_out:
            continue
        for device in run.copies(sender, message):
            for shown in run.shown[device][message.content]:
                if message.sequence is not None and shown.sequence != message.sequence:
                    yield Finding(
                        kind="two orders",
                        detail=f"{run.describe(message)}; sequence {message.sequence} at the sender, "
                        f"{shown.sequence} at {device.device_id}",
                    )
                if message.message_id is not None and shown.message_id != message.message_id:
                    yield Finding(
                        kind="two ids",
                        detail=f"{run.describe(message)}; it is {shown.message_id} at {device.device_id}",
                    )


def find_shared_sequences(run: Events) -> Iterator[Finding]:
    """No two messages of a conversation have the same sequence."""
    taken: Counter[tuple[frozenset[str], int]] = Counter()
    for sender, message in run.sent.values():
        if message.sequence is not None and not sender.is_logged_out:
            taken[frozenset((sender.user_id, message.receiver_id)), message.sequence] += 1
    for (people, sequence), times in taken.items():
        if times > 1:
            detail = f"{sequence} was given to {times} messages between {' and '.join(sorted(people))}"
            yield Finding(kind="shared sequence", detail=detail)


def find_shared_ids(run: Events) -> Iterator[Finding]:
    """No two messages have the same id."""
    taken: dict[str, str] = {}
    for _, message in run.sent.values():
        if message.message_id is not None and message.acknowledgements:
            other = taken.setdefault(message.message_id, message.content)
            if other != message.content:
                detail = f"{message.message_id} is {other!r} and {message.content!r}"
                yield Finding(kind="shared id", detail=detail)


def find_overtaken(run: Events) -> Iterator[Finding]:
    """Frames of one connection to one conversation are appended in the order sent, where each was sent once."""
    for history in run.histories:
        newest: dict[tuple[str, int], SentMessage] = {}
        for message in history.sent.values():
            if len(message.attempts) != 1 or message.errors or message.sequence is None:
                continue
            key = (message.receiver_id, message.attempts[0].connection)
            last = newest.get(key)
            if last is not None and last.sequence is not None and message.sequence < last.sequence:
                detail = f"{run.describe(message)}; it stands before the older {last.content!r} ({last.sequence})"
                yield Finding(kind="overtaken", detail=detail)
            else:
                newest[key] = message


PROMISES: Final[tuple[Callable[[Events], Iterator[Finding]], ...]] = (
    find_lost,
    find_doubled,
    find_invented,
    find_unacknowledged,
    find_undelivered,
    find_false_delivery,
    find_disordered,
    find_disagreement,
    find_shared_sequences,
    find_shared_ids,
    find_overtaken,
)
