"""Fan-out: each message and event of a group to every device of whoever was a member at its place in the log.

One at a time for a group, in the group's order, and begun again wherever it was cut off: an inbox takes an entry once,
and a device that has confirmed one is not given it again.
"""

import logging
import time
from collections.abc import Sequence

from apps.connections.bus import BusSender
from apps.delivery.deliver import deliver_changes
from apps.delivery.frames import build_group_changed, build_group_event, build_incoming, to_change
from apps.delivery.group_keys import fan_out_key
from apps.delivery.group_lease import holds, lease
from apps.delivery.group_members import GroupMembers, add_missing_pointers, load_members
from apps.groups.selectors import list_settled
from apps.inbox.inbox import Change
from apps.messagestore.base import Body, MessageStore
from apps.messagestore.groups import GroupEvent, GroupRow
from apps.messagestore.store import get_message_store

logger = logging.getLogger(__name__)

LEASE_MS = 30_000
ROWS = 50
"""Of a group that are fanned out together."""

SLICE = 2_000
"""Changes in one call, so that others come in between."""

CHANGE_WAIT_MS = 600_000
"""How long an event waits for its change to be in force. One that is older is of a users' database that was put back to
an earlier time, and is told to nobody: the group must go on.
"""


def fan_out(group_id: str, bus: BusSender) -> int:
    """Fan out what is stored of a group and was not yet. Returns the rows; 0 where somebody else is at it.

    Raises ValkeyError and StoreUnavailable: then it is done again.
    """
    done = 0
    while _is_behind(group_id):
        with lease(fan_out_key(group_id), LEASE_MS) as token:
            count, is_held_up = (0, True) if token is None else _fan_out_rows(group_id, token, bus)
        done += count
        if is_held_up:
            break
    return done


def _is_behind(group_id: str) -> bool:
    progress = get_message_store().groups.list_progress([group_id]).get(group_id)
    return progress is not None and progress.fanned_upto < progress.stored_upto


def _fan_out_rows(group_id: str, token: str, bus: BusSender) -> tuple[int, bool]:
    """All that is stored by now, a few rows at a time. Returns how many, and whether it could not go on to the end."""
    store = get_message_store()
    done = 0
    while True:
        progress = store.groups.list_progress([group_id])[group_id]
        rows = store.groups.list_rows(group_id, progress.fanned_upto, progress.stored_upto, ROWS)
        if not rows:
            store.groups.raise_fanned(group_id, progress.stored_upto)
            return done, False
        ready = _cut_at_what_is_not_in_force(rows)
        if not ready:
            logger.warning("the fan-out of %s waits: %s is not in force yet", group_id, rows[0].message_id)
            return done, True
        if not holds(fan_out_key(group_id), token, LEASE_MS):
            logger.warning("the fan-out of %s took longer than its lease; whoever has it now goes on", group_id)
            return done, True
        _deliver(store, group_id, ready, bus)
        store.groups.raise_fanned(group_id, ready[-1].sequence)
        done += len(ready)


def _cut_at_what_is_not_in_force(rows: Sequence[GroupRow]) -> Sequence[GroupRow]:
    """The rows before the first event whose change is still to come: who is to get what is after it nobody knows."""
    settled = list_settled([row.message_id for row in rows if row.is_event])
    since_ms = int(time.time() * 1000) - CHANGE_WAIT_MS
    for index, row in enumerate(rows):
        if row.is_event and row.message_id not in settled and row.timestamp_ms > since_ms:
            return rows[:index]
    return rows


def _deliver(store: MessageStore, group_id: str, rows: Sequence[GroupRow], bus: BusSender) -> None:
    members = load_members(store, group_id, rows[0].sequence)
    add_missing_pointers(store, members)
    message_ids = [row.message_id for row in rows if not row.is_event]
    event_ids = [row.message_id for row in rows if row.is_event]
    bodies = store.list_bodies(message_ids) if message_ids else {}
    events = store.groups.list_events_by_id(event_ids) if event_ids else {}
    settled = list_settled(event_ids)
    changes: list[Change] = []
    for row in rows:
        if row.message_id in bodies:
            changes += _put_message(row, bodies[row.message_id], members)
        elif row.message_id in events and row.message_id in settled:
            changes += _tell_event(events[row.message_id], members)
    for start in range(0, len(changes), SLICE):
        deliver_changes(changes[start : start + SLICE], bus)


def _put_message(row: GroupRow, body: Body, members: GroupMembers) -> list[Change]:
    frame = build_incoming(body, for_sender=False)
    return [
        Change(kind="put", user_id=user_id, device_id=device_id, member=row.message_id, frame=frame)
        for user_id in members.spells
        for device_id in members.devices(user_id)
        if members.lacks(user_id, device_id, row)
    ]


def _tell_event(event: GroupEvent, members: GroupMembers) -> list[Change]:
    """The event, and for those who are members that the group has another version."""
    told = build_group_event(event)
    changed = build_group_changed(event.group_id, event.facts["version"])
    return [
        to_change(user_id, device_id, receipt)
        for user_id in members.spells
        if members.sees_event(user_id, event.sequence)
        for device_id in members.devices(user_id)
        for receipt in ([told, changed] if members.was_member(user_id, event.sequence + 1) else [told])
    ]
