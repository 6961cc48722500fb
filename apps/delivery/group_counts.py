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
from apps.delivery.group_members import GroupMembers, load_members
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
        members = load_members(store, group_id)
        rows = [row for row in store.groups.list_waiting([group_id]) if not row.is_event]
        settlements = [settlement for row in rows if _has_changed(row, settlement := settle_row(row, members))]
        if not settlements:
            return 0
        store.groups.settle(settlements, int(time.time() * 1000))
        grown = [one.message_id for one in settlements]
        deliver_changes(_tell_counts(list(store.list_standings(grown).values())), bus)
        return len(settlements)


def settle_row(row: GroupRow, members: GroupMembers) -> Settlement:
    """How a message stands. Whoever is no member any more does not hold up ✓✓ of all, but is waited for."""
    receivers = [
        user_id for user_id in members.spells if user_id != row.sender_id and members.was_member(user_id, row.sequence)
    ]
    lacking = [user_id for user_id in receivers if not members.has(user_id, row)]
    return Settlement(
        message_id=row.message_id,
        delivered_count=len(receivers) - len(lacking),
        delivered_to_all=not any(members.is_member(user_id) for user_id in lacking),
        waited_for=bool(lacking) or _is_waited_for(row, members),
    )


def _is_waited_for(row: GroupRow, members: GroupMembers) -> bool:
    return any(
        members.lacks(user_id, device_id, row) for user_id in members.spells for device_id in members.devices(user_id)
    )


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
