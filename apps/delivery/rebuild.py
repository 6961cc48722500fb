"""Rebuilding one device's inbox from the Message DB: for a new device, a flush, a failover or a truncated file
alike.
"""

import time
from collections.abc import Sequence

from apps.accounts.selectors import device_exists
from apps.delivery.frames import EVENT_PREFIX, build_group_event, build_outcome, build_read_receipt
from apps.delivery.group_rebuild import list_entries_of_groups, list_versions_of_groups
from apps.inbox import inbox
from apps.inbox.inbox import Waiting
from apps.messagestore.base import TRACE_KEPT_MS
from apps.messagestore.store import get_message_store
from apps.observability.metrics import INBOX_REBUILDS

RECEIPT_MARGIN_MS = 600_000
"""How much earlier than the last acknowledged look receipts are repeated: a relay may have been paused between store
and inbox.
"""


class RebuildBusy(Exception):
    """Another process is rebuilding this user's inboxes: ask again in a moment."""


def rebuild_inbox(user_id: str, device_id: str, *, force: bool = False) -> int:
    """Write the device's inbox anew, in order, unless it is usable (``force``: even then) or the device was removed.
    Returns the entries written, -1 if none.

    From before the Message DB is read until the last step refused puts are kept aside and added by it: what the relay
    stores meanwhile falls through neither.
    Raises RebuildBusy, StoreUnavailable, ValkeyError, RebuildLockLost.
    """
    with inbox.rebuild_lock(user_id) as token:
        if token is None:
            raise RebuildBusy(f"the inboxes of {user_id} are being rebuilt")
        if not force and inbox.has_epoch(user_id, device_id):
            return -1
        # Whoever removes it from here on takes the lock away. Nobody would ever empty its inbox again.
        if not device_exists(user_id, device_id):
            return -1
        inbox.begin_rebuild(user_id, device_id, token)
        entries = [*_list_messages(user_id, device_id), *_list_receipts(user_id, device_id)]
        inbox.write_rebuilt(user_id, device_id, token, entries)
        INBOX_REBUILDS.inc()
        return len(entries)


def _list_messages(user_id: str, device_id: str) -> list[Waiting]:
    """What the device has to confirm, and among it the groups' events that it may have missed, in order."""
    now_ms = int(time.time() * 1000)
    store = get_message_store()
    store.adopt_undelivered(user_id, device_id, now_ms)
    of_groups = list_entries_of_groups(store, user_id, device_id, _receipts_since(user_id, device_id, now_ms))
    events = of_groups.events
    placed = [(one.event_id, one.group_id, one.sequence, one.timestamp_ms) for one in events.values()]
    pending = [*store.list_pending(user_id, device_id, now_ms), *of_groups.messages, *placed]
    return [
        build_group_event(events[one]) if one in events else Waiting(kind="message", member=one, frame="")
        for one in order_for_inbox(pending)
    ]


def order_for_inbox(pending: Sequence[tuple[str, str, int, int]]) -> list[str]:
    """Message ids of (id, conversation, sequence, timestamp) oldest first, and within a conversation strictly by
    sequence.

    Gateways' clocks differ, so a later message of a conversation may have an earlier time: it counts as late as its
    predecessor.
    """
    latest: dict[str, int] = {}
    keyed: list[tuple[int, int, str]] = []
    for message_id, conversation, sequence, timestamp_ms in sorted(pending, key=lambda row: (row[1], row[2])):
        latest[conversation] = max(timestamp_ms, latest.get(conversation, 0))
        keyed.append((latest[conversation], sequence, message_id))
    return [message_id for _, _, message_id in sorted(keyed)]


def _list_receipts(user_id: str, device_id: str) -> list[Waiting]:
    """What the server still holds, and what the Message DB knows since the device last acknowledged receipts."""
    since_ms = _receipts_since(user_id, device_id, int(time.time() * 1000))
    store = get_message_store()
    found = {receipt.member: receipt for receipt in inbox.read_receipts(user_id, device_id)}
    for standing in store.list_settled_since(user_id, since_ms):
        found.update({receipt.member: receipt for receipt in build_outcome(standing, device_id)})
    for pointer in store.list_pointers_since(user_id, since_ms):
        receipt = build_read_receipt(pointer)
        found[receipt.member] = receipt
    for receipt in list_versions_of_groups(user_id):
        found[receipt.member] = receipt
    # The groups' events stand among the messages.
    return [receipt for receipt in found.values() if not receipt.member.startswith(EVENT_PREFIX)]


def _receipts_since(user_id: str, device_id: str, now_ms: int) -> int:
    acknowledged_ms = inbox.read_acknowledged_ms(user_id, device_id)
    return max(acknowledged_ms - RECEIPT_MARGIN_MS, now_ms - TRACE_KEPT_MS)
