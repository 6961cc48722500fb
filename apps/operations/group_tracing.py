"""A message's way into a group: to which members, how far, and which of their devices have it."""

import time
from typing import Any

from apps.delivery.group_counts import count_message
from apps.delivery.group_members import load_members
from apps.groups.selectors import list_by_id
from apps.messagestore.base import Trace
from apps.messagestore.store import get_message_store

BEHIND_LOOKED_AT = 200


def describe_group(found: Trace) -> dict[str, Any]:
    """The group, and how many members have the message by now; ready for JSON. Raises StoreUnavailable."""
    standing = found.standing
    group = list_by_id([standing.group_id]).get(standing.group_id)
    polled = _is_polled(found)
    progress = get_message_store().groups.list_progress([standing.group_id]).get(standing.group_id)
    counts = {} if polled or standing.refusal else count_message(standing)
    return {
        "group_id": standing.group_id,
        "name": group.name if group else None,
        "polled": polled,
        "members": standing.members,
        "delivered_count": counts.get("delivered", standing.delivered_count),
        "read_count": counts.get("read"),
        "fanned_out": None if polled else progress is not None and progress.fanned_upto >= standing.sequence,
    }


def list_devices(found: Trace) -> list[dict[str, Any]]:
    """Every device that the message is for, and whether it has confirmed it, by the pointers: those that have not come
    first. Nobody confirms one that is polled for. Raises StoreUnavailable.
    """
    standing = found.standing
    if _is_polled(found) or standing.refusal:
        return []
    members = load_members(get_message_store(), standing.group_id, standing.sequence)
    devices = [
        {
            "user_id": user_id,
            "device_id": device_id,
            "confirmed": members.pointer(user_id, device_id).covers(standing.sequence),
        }
        for user_id in sorted(members.spells)
        if members.was_member(user_id, standing.sequence)
        for device_id in members.devices(user_id)
        if device_id != standing.sender_device
    ]
    return sorted(devices, key=lambda one: bool(one["confirmed"]))


def list_late_groups(after_ms: int) -> list[str]:
    """Groups of which something was stored so long ago and is not fanned out; of some that are behind. Raises
    StoreUnavailable.
    """
    groups = get_message_store().groups
    progress = groups.list_progress(groups.list_behind(BEHIND_LOOKED_AT))
    stored_before = time.time() * 1000 - after_ms
    return sorted(
        each.group_id
        for each in progress.values()
        for row in groups.list_rows(each.group_id, each.fanned_upto, each.stored_upto, 1)
        if _stored_at_ms(row.message_id, row.timestamp_ms) < stored_before
    )


def _is_polled(found: Trace) -> bool:
    """A message that is polled for is kept in the name of the group."""
    return found.standing.group_id in found.history_for


def _stored_at_ms(message_id: str, otherwise: int) -> int:
    found = get_message_store().trace(message_id)
    return otherwise if found is None else found.stored_at_ms
