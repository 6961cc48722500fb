"""Counts: how many members have a group's messages. Their senders are told, and what nobody waits for goes.

They come from the pointers, so that neither a lost cache nor a replay can make them wrong.
"""

import time
from collections.abc import Sequence

from apps.accounts.selectors import list_delivery_facts
from apps.connections.bus import BusSender
from apps.delivery.deliver import deliver_changes
from apps.delivery.frames import build_outcome, to_change
from apps.delivery.group_due import counting
from apps.delivery.group_members import load_members
from apps.delivery.group_tally import Tally
from apps.inbox.inbox import Change
from apps.messagestore.base import Standing
from apps.messagestore.groups import GroupRow, Settlement
from apps.messagestore.store import get_message_store


def count_group(group_id: str, bus: BusSender) -> int:
    """Count a group's messages and tell their senders what has grown. Returns the messages that changed.

    Raises ValkeyError and StoreUnavailable: then it is done again.
    """
    store = get_message_store()
    with counting(group_id):
        rows = [row for row in store.groups.list_waiting([group_id]) if not row.is_event]
        tally = Tally(load_members(store, group_id)) if rows else None
        settlements = [settlement for row in rows if tally and _has_changed(row, settlement := tally.settle(row))]
        if not settlements:
            return 0
        store.groups.settle(settlements, int(time.time() * 1000))
        grown = [one.message_id for one in settlements]
        deliver_changes(_tell_counts(list(store.list_standings(grown).values())), bus)
        return len(settlements)


def count_message(standing: Standing) -> dict[str, int]:
    """How many of how many members have a message of a group, and how many have read it, by now."""
    store = get_message_store()
    readers = {
        pointer.reader_id
        for pointer in store.list_read_pointers(standing.group_id)
        if pointer.sequence >= standing.sequence and pointer.reader_id != standing.sender_id
    }
    if not standing.undelivered:
        return {"delivered": standing.delivered_count, "members": standing.members, "read": len(readers)}
    members = load_members(store, standing.group_id)
    row = GroupRow(
        message_id=standing.message_id,
        group_id=standing.group_id,
        sequence=standing.sequence,
        sender_id=standing.sender_id,
        sender_device=standing.sender_device,
        timestamp_ms=standing.timestamp_ms,
        undelivered=standing.undelivered,
        delivered_count=standing.delivered_count,
    )
    delivered = max(standing.delivered_count, Tally(members).settle(row).delivered_count)
    return {"delivered": delivered, "members": standing.members, "read": len(readers)}


def _has_changed(row: GroupRow, settlement: Settlement) -> bool:
    return (
        settlement.delivered_count > row.delivered_count
        or not settlement.waited_for
        or (settlement.delivered_to_all and row.undelivered)
    )


def _tell_counts(standings: Sequence[Standing]) -> list[Change]:
    facts = list_delivery_facts(sorted({one.sender_id for one in standings}))
    return [
        to_change(standing.sender_id, device_id, receipt)
        for standing in sorted(standings, key=lambda one: one.sequence)
        if standing.delivered_count and standing.sender_id in facts
        for device_id in facts[standing.sender_id].devices
        for receipt in build_outcome(standing, device_id)
    ]
