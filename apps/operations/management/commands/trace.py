"""``manage.py trace``: one message's way through every hop."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management import CommandError

from apps.operations.operator_command import OperatorCommand
from apps.operations.tracing import count_unrelayed, made_at_ms, trace_message
from apps.protocol.ids import is_message_id

SHOWN = 50
"""Devices and readers of a message to a group; the JSON has them all."""

_LOG_KEPT = {True: "still on the log", False: "no longer on the log", None: "the log does not answer"}


class Command(OperatorCommand):
    """Prints what store, log, inboxes and registry know of a message; never its content."""

    help = "Tell one message's way: accepted, on the log, stored, queued and confirmed by each device, read, deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("message", metavar="MSG", help="a msg- id")
        parser.add_argument("--json", action="store_true", help="print one JSON object; times in ms")

    def handle(self, *, message: str, **options: Any) -> None:
        """Print the way, or say that nobody knows the message."""
        if not is_message_id(message):
            raise CommandError(f"{message!r} is no message: it takes msg- and 16 hexadecimal digits")
        found = trace_message(message)
        if found is None:
            raise CommandError(_unknown(message))
        self.stdout.write(json.dumps(found) if options["json"] else "\n".join(_to_lines(found)))


def _unknown(message: str) -> str:
    behind = count_unrelayed()
    waiting = "the log does not answer" if behind is None else f"the relay has {behind:,} records of the log to read"
    return (
        f"{message}, an id of {_time(made_at_ms(message))}, is not known: it was never accepted, is not stored yet"
        f" ({waiting}), or its row was deleted after its time"
    )


def _to_lines(found: dict[str, Any]) -> list[str]:
    lines = [found["message_id"]]
    if "log" in found:
        lines += _story(found)
    if found["dead_letter"]:
        letter = found["dead_letter"]
        lines.append(f"dead letter  from partition {letter['partition']}: {letter['reason']}")
    return lines


def _story(found: dict[str, Any]) -> list[str]:
    log, group = found["log"], found["group"]
    lines = [
        f"from         {found['sender_id']} ({found['sender_device']}) to {_receiver(found)}",
        f"sent         {_time(found['sent_at'])} by the sender's clock",
        f"accepted     {_time(found['accepted_at'])}",
        f"log          partition {log['partition']}, generation {log['generation']}, position {log['position']},"
        f" {_LOG_KEPT[log['kept']]}",
        f"stored       {_time(found['stored_at'])}",
    ]
    lines += _group_lines(group, found["devices"]) if group else [_device_line(device) for device in found["devices"]]
    if found["refusal"]:
        lines.append(f"withdrawn    {found['refusal']}")
    lines.append(f"delivered    {_time(found['delivered_at'])}")
    lines += [
        f"read         {_time(read['at'])} by {read['user_id']}, up to {read['up_to']}"
        for read in found["read"][:SHOWN]
    ]
    if found["content_deleted_at"]:
        lines.append(f"deleted      {_time(found['content_deleted_at'])}; these facts go {_time(found['kept_until'])}")
    else:
        lines.append(f"kept until   {_time(found['kept_until'])}")
    return lines


def _receiver(found: dict[str, Any]) -> str:
    group = found["group"]
    if group is None:
        return str(found["receiver_id"])
    return f"the group {group['group_id']}" + (f", {group['name']!r}" if group["name"] else "")


def _group_lines(group: dict[str, Any], devices: Sequence[dict[str, Any]]) -> list[str]:
    if group["polled"]:
        return [f"members      {group['members']:,}, who ask for it by themselves: nobody confirms it"]
    lines = [
        f"fan-out      {'done' if group['fanned_out'] else 'still to come'}",
        f"members      {group['members']:,}, of whom {group['delivered_count']:,} have it",
    ]
    lines += [
        f"{'confirmed' if one['confirmed'] else 'waits':<13}{'by' if one['confirmed'] else 'for'} {one['device_id']}"
        f" of {one['user_id']}"
        for one in devices[:SHOWN]
    ]
    if more := devices[SHOWN:]:
        confirmed = sum(one["confirmed"] for one in more)
        lines.append(f"             and {len(more):,} devices more, {confirmed:,} of which have confirmed it")
    return lines


def _device_line(device: dict[str, Any]) -> str:
    if device["confirmed_at"] is not None:
        return f"confirmed    {_time(device['confirmed_at'])} by {device['device_id']}"
    inbox = device["inbox"] or "unknown, the cache does not answer"
    place = f"connected to {device['connected_to']}" if device["connected_to"] else "not connected"
    return f"waits        for {device['device_id']} of {device['user_id']}: inbox {inbox}, {place}"


def _time(at_ms: int | None) -> str:
    if at_ms is None:
        return "not yet"
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):  # a client's clock may say anything
        return f"{at_ms} ms"
