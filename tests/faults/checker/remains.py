"""What the servers hold at rest, against what is promised of it.

The document: ``{"now_ms", "inboxes": {key: entries}, "dead_letters": number, "rows": [row, …]}``; a row is one of the
Message DB: ``message_id``, ``has_content``, ``undelivered``, ``pending_devices``, ``own_devices``, ``history_for``,
``refusal``, ``expires_at_ms``. ``rows`` may be absent where nobody may look into the Message DB.

Where it is known: ``keeping_nothing``, the users who never kept a history; ``is_swept``, whether the sweep had time to
look at every row since the last device was removed.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.checker.events import Events
from tests.faults.checker.report import Finding


def find_in_remains(run: Events, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything that should not be there, or should."""
    for key, count in document.get("inboxes", {}).items():
        if count and _is_of_run(run, key):
            yield Finding(kind="left in an inbox", detail=f"{key}: {count}")
    if dead := document.get("dead_letters", 0):
        yield Finding(kind="dead letter", detail=f"{dead} records were given up")
    if "rows" in document:
        rows = {row["message_id"]: row for row in document["rows"]}
        yield from _find_kept(rows, document["now_ms"])
        yield from _find_kept_for_nobody(rows, frozenset(document.get("keeping_nothing", ())))
        yield from _find_pending(run, rows)
        if document.get("is_swept"):
            yield from _find_waiting_for_removed(run, rows)
        yield from _find_missing(run, rows)


def _is_of_run(run: Events, key: str) -> bool:
    return any(user_id in key for user_id in run.devices)


def _find_kept(rows: Mapping[str, Mapping[str, Any]], now_ms: int) -> Iterator[Finding]:
    """Content goes with the last confirmation where nobody keeps a history, and at the end of its time."""
    for message_id, row in rows.items():
        if not row["has_content"]:
            continue
        waits = row["undelivered"] or row["pending_devices"] or row["own_devices"] or _waits_in_group(row)
        if row["refusal"] or not (waits or row["history_for"]):
            yield Finding(kind="kept", detail=f"{message_id} has content, and nobody waits for it or keeps it")
        elif row["expires_at_ms"] <= now_ms:
            yield Finding(kind="kept", detail=f"{message_id} has content, and its time is over")


def _waits_in_group(row: Mapping[str, Any]) -> bool:
    """Of a group's message the row says only that somebody has still to confirm it; events are nobody's to confirm."""
    return bool(row.get("group_id")) and (bool(row.get("waiting")) or row["message_id"].startswith("evt-"))


def _find_kept_for_nobody(rows: Mapping[str, Mapping[str, Any]], keeping_nothing: frozenset[str]) -> Iterator[Finding]:
    """Nothing is kept for somebody who keeps nothing."""
    for message_id, row in rows.items():
        if row["has_content"] and (users := keeping_nothing.intersection(row["history_for"])):
            yield Finding(kind="kept", detail=f"{message_id} is kept for {', '.join(sorted(users))}, who keeps nothing")


def _find_waiting_for_removed(run: Events, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Nothing waits for a device that was removed."""
    removed = {device.device_id for device in run.histories if device.is_logged_out}
    for message_id, row in rows.items():
        if devices := removed.intersection((*row["pending_devices"], *row["own_devices"])):
            detail = f"{message_id} waits for {', '.join(sorted(devices))}, which logged out"
            yield Finding(kind="pending for ever", detail=detail)


def _find_pending(run: Events, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """What a device has confirmed it is not waited for; what no device has is not delivered."""
    for message_id, row in rows.items():
        if message_id not in run.by_id:
            continue
        sender, message = run.by_id[message_id]
        waited_for = {*row["pending_devices"], *row["own_devices"]}
        for device in run.copies(sender, message):
            if device.device_id in waited_for and run.shown[device][message.content]:
                detail = f"{run.describe(message)}; {device.device_id} is still waited for"
                yield Finding(kind="pending for ever", detail=detail)
        if row["undelivered"] and message.delivered_at is not None:
            detail = f"{run.describe(message)}; the Message DB calls it undelivered"
            yield Finding(kind="pending for ever", detail=detail)


def _find_missing(run: Events, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """The bare facts of each message with ✓ stay for 7 days."""
    for message_id, (sender, message) in run.by_id.items():
        if message_id not in rows and not run.may_hold_outdated_id(sender, message):
            yield Finding(kind="no row", detail=f"{run.describe(message)}; the Message DB does not know it")
