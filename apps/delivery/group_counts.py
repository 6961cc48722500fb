"""Counts: how many members have a group's messages. Their senders are told, and what nobody waits for goes.

They come from the pointers, so that neither a lost cache nor a replay can make them wrong.
"""

import time
from collections.abc import Sequence

from apps.accounts.selectors import list_delivery_facts
from apps.connections.bus import BusSender
from apps.delivery.deliver import deliver_changes
from apps.delivery.frames import build_outcome, to_change
from apps.delivery.group_due import counting, note_telling, note_told
from apps.delivery.group_members import load_members
from apps.delivery.group_tally import Tally
from apps.groups.selectors import list_by_id, list_spells_of
from apps.inbox.inbox import Change
from apps.messagestore.base import Standing
from apps.messagestore.groups import GroupRow, Settlement
from apps.messagestore.store import get_message_store


def count_group(group_id: str, bus: BusSender, *, whole: bool = False) -> int:
    """Count a group's messages from where something was confirmed since the last time, or the ``whole`` group's, and
    tell their senders what has grown. Returns the messages that changed; 0 where somebody else is at it.

    What is before that stands as it did: a message is counted anew only where it was confirmed itself.
    Raises ValkeyError and StoreUnavailable: then it is done again.
    """
    store = get_message_store()
    with counting(group_id) as lowest:
        if lowest is None:
            return 0
        above = 0 if whole else max(0, lowest - 1)
        rows = [row for row in store.groups.list_waiting({group_id: above}) if not row.is_event]
        tally = Tally(load_members(store, group_id, rows[0].sequence)) if rows else None
        settled = [(row, settlement) for row in rows if tally and _has_changed(row, settlement := tally.settle(row))]
        settlements = [settlement for _, settlement in settled]
        # Once it is written nobody sees any more that the count has grown: what was begun is remembered first.
        grown = note_telling(group_id, [row.message_id for row, one in settled if _has_grown(row, one)])
        if settlements:
            store.groups.settle(settlements, int(time.time() * 1000))
        _tell(sorted(grown), bus)
        note_told(group_id, grown)
        return len(settlements)


def _tell(message_ids: Sequence[str], bus: BusSender) -> None:
    """Tell the senders what stands. Whoever was held up for longer than a count may take has told what no longer does,
    and does not leave it at that.
    """
    store = get_message_store()
    standings = store.list_standings(message_ids) if message_ids else {}
    while standings:
        deliver_changes(_tell_counts(list(standings.values())), bus)
        again = store.list_standings(list(standings))
        standings = {one: again[one] for one in again if again[one].delivered_count > standings[one].delivered_count}


def count_message(standing: Standing) -> dict[str, int]:
    """How many of how many members have a message of a group, and how many have read it, by now; not the latter where
    the group is polled.
    """
    store = get_message_store()
    read = _count_readers(standing)
    if not standing.undelivered:
        return {"delivered": standing.delivered_count, "members": standing.members} | read
    members = load_members(store, standing.group_id, standing.sequence)
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
    return {"delivered": delivered, "members": standing.members} | read


def _count_readers(standing: Standing) -> dict[str, int]:
    """How many of its receivers have read a message, of those who let others see it. Of a group that is polled it is
    not said: there a hundred thousand may have a pointer.
    """
    group = list_by_id([standing.group_id]).get(standing.group_id)
    if group is not None and group.is_polled:
        return {}
    read = {
        pointer.reader_id
        for pointer in get_message_store().list_read_pointers(standing.group_id)
        if pointer.sequence >= standing.sequence and pointer.reader_id != standing.sender_id
    }
    spells = list_spells_of({(standing.group_id, reader_id) for reader_id in read})
    facts = list_delivery_facts(sorted(read))
    seen = [
        reader_id
        for (_, reader_id), times in spells.items()
        if reader_id in facts
        and facts[reader_id].read_receipts
        and any(spell.covers(standing.sequence) for spell in times)
    ]
    return {"read": len(seen)}


def _has_changed(row: GroupRow, settlement: Settlement) -> bool:
    return _has_grown(row, settlement) or not settlement.waited_for or (settlement.delivered_to_all and row.undelivered)


def _has_grown(row: GroupRow, settlement: Settlement) -> bool:
    return settlement.delivered_count > row.delivered_count


def _tell_counts(standings: Sequence[Standing]) -> list[Change]:
    facts = list_delivery_facts(sorted({one.sender_id for one in standings}))
    return [
        to_change(standing.sender_id, device_id, receipt)
        for standing in sorted(standings, key=lambda one: one.sequence)
        if standing.delivered_count and standing.sender_id in facts
        for device_id in facts[standing.sender_id].devices
        for receipt in build_outcome(standing, device_id)
    ]
