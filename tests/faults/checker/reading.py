"""Reads what `tests.faults.records` wrote: the histories of a run, its blocks, and the end state beside them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.client.history import Acknowledgement, Attempt, Close, GroupEvent, History, SentMessage, ShownMessage
from tests.faults.checker.fields import Fields, Unreadable
from tests.faults.checker.rights import Block

ROW_LISTS = ("pending_devices", "own_devices", "history_for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What one run left to judge."""

    histories: Sequence[History]
    blocks: Sequence[Block]


def read_records(paths: Sequence[Path]) -> Records:
    """Read JSON lines, one for each device or block, from one file or several.

    Raises Unreadable, which names file, line and field and says what was expected there; OSError.
    """
    devices: dict[str, History] = {}
    blocks: list[Block] = []
    for path in paths:
        for line in _read_lines(path):
            if "owner_id" in line.values:
                blocks.append(_to_block(line))
                continue
            history = _to_history(line)
            if history.device_id in devices:
                raise line.refuse("device_id", "a device that no other line has", history.device_id)
            devices[history.device_id] = history
    if not devices:
        raise Unreadable(f"{', '.join(map(str, paths))}: expected the history of at least one device, got none")
    return Records(histories=list(devices.values()), blocks=blocks)


def read_end_state(path: Path) -> Mapping[str, Any]:
    """Read the document that `tests.faults.end_state` makes. Raises Unreadable; OSError."""
    document = _to_fields(str(path), path.read_bytes())
    if "rows" in document.values:
        document.integer("now_ms")
        for row in document.children("rows"):
            row.text("message_id")
            row.integer("expires_at_ms")
            row.text("refusal")
            for name in ("has_content", "undelivered"):
                row.flag(name)
            for name in ROW_LISTS:
                row.texts(name)
    for key in document.child("inboxes").values if "inboxes" in document.values else ():
        document.child("inboxes").integer(key)
    if "dead_letters" in document.values:
        document.integer("dead_letters")
    return document.values


def _read_lines(path: Path) -> Iterator[Fields]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _to_fields(f"{path}:{number}", line)


def _to_fields(where: str, text: bytes) -> Fields:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"{where}: expected JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable(f"{where}: expected a JSON object, got {type(found).__name__}")
    return Fields(where=where, values=found)


def _to_block(line: Fields) -> Block:
    return Block(
        owner_id=line.text("owner_id"),
        person_id=line.text("person_id"),
        asked_at=line.number("asked_at"),
        since=line.number("since", missing=math.inf),
        until=line.number("until", missing=math.inf),
        over_at=line.number("over_at", missing=math.inf),
    )


def _to_history(line: Fields) -> History:
    history = History(line.text("user_id"), line.text("device_id"))
    history.logged_in_at = line.number("logged_in_at", missing=-math.inf)
    history.logged_out_at = line.number("logged_out_at", missing=math.inf)
    for fields in line.children("sent"):
        message = _to_sent(fields)
        history.sent[message.client_id] = message
    for fields in line.children("shown"):
        shown = _to_shown(fields)
        history.shown[shown.message_id] = shown
    for fields in line.children("group_events") if "group_events" in line.values else ():
        event = _to_event(fields)
        history.group_events[event.event_id] = event
    history.delivered_ids = set(line.texts("delivered_ids"))
    history.errors = _to_errors(line)
    history.closes = [
        Close(
            at=one.number("at"),
            connection=one.integer("connection"),
            code=one.integer("code"),
            reason=one.text("reason"),
        )
        for one in line.children("closes")
    ]
    history.conflicting_repeats = [
        {"message_id": one.text("message_id"), **one.values} for one in line.children("conflicting_repeats")
    ]
    return history


def _to_event(fields: Fields) -> GroupEvent:
    return GroupEvent(
        group_id=fields.text("group_id"),
        event_id=fields.text("event_id"),
        kind=fields.text("kind"),
        user_ids=tuple(fields.texts("user_ids")),
        sequence=fields.integer("sequence"),
        shown_before=fields.integer("shown_before"),
    )


def _to_sent(fields: Fields) -> SentMessage:
    delivered_at = fields.number("delivered_at", missing=math.inf)
    return SentMessage(
        client_id=fields.integer_or_text("client_id"),
        receiver_id=fields.text("receiver_id"),
        content=fields.text("content"),
        submitted_at=fields.number("submitted_at"),
        attempts=[
            Attempt(at=one.number("at"), connection=one.integer("connection")) for one in fields.children("attempts")
        ],
        acknowledgements=[
            Acknowledgement(at=one.number("at"), message_id=one.text("message_id"), sequence=one.integer("sequence"))
            for one in fields.children("acknowledgements")
        ],
        errors=_to_errors(fields),
        delivered_at=None if delivered_at == math.inf else delivered_at,
        delivered_id=fields.text_or_none("delivered_id"),
        delivered_counts=_to_counts(fields),
        withdrawn=fields.flag("withdrawn"),
        expected_errors=frozenset(fields.texts("expected_errors")),
    )


def _to_counts(fields: Fields) -> list[tuple[int, int]]:
    counts = fields.values.get("delivered_counts", [])
    if not isinstance(counts, list) or not all(isinstance(one, list) and len(one) == 2 for one in counts):
        raise fields.refuse("delivered_counts", "pairs of numbers", counts)
    return [(int(delivered), int(members)) for delivered, members in counts]


def _to_shown(fields: Fields) -> ShownMessage:
    return ShownMessage(
        message_id=fields.text("message_id"),
        sender_id=fields.text("sender_id"),
        receiver_id=fields.text_or_none("receiver_id"),
        content=fields.text("content"),
        sequence=fields.integer("sequence"),
        timestamp=fields.integer("timestamp"),
        at=fields.number("at"),
        connection=fields.integer("connection"),
        repeats=fields.integer("repeats"),
        group_id=fields.text_or_none("group_id"),
    )


def _to_errors(fields: Fields) -> list[Mapping[str, Any]]:
    return [{"code": one.text("code"), **one.values} for one in fields.children("errors")]
