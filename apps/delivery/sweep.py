"""The slow sweep: puts back whatever the Message DB holds as pending and no inbox has, and deletes inboxes that nobody
has any more. It walks on a page at a time.
"""

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from django.conf import settings

from apps.accounts.selectors import DeliveryFacts, list_delivery_facts
from apps.connections.bus import BusSender
from apps.delivery.deliver import deliver_changes
from apps.delivery.frames import build_incoming
from apps.delivery.group_due import mark_due
from apps.delivery.rebuild import order_for_inbox
from apps.inbox.inbox import Change, count_waiting, delete_inbox, list_devices_page, list_missing
from apps.messagestore.base import Standing
from apps.messagestore.store import get_message_store
from apps.observability.metrics import INBOX_SIZE, SWEEP_PUT_BACK
from apps.valkey.pools import sync_client

CURSOR_KEY = "sweep:cursor"
"""STRING "receiver message_id" up to which the running round has come; 1 h."""

INBOX_CURSOR_KEY = "sweep:inboxes"
"""STRING, up to where the walk over all inboxes has come; 1 h."""

PAGE = 1_000
KEYS = 2_000
"""Keys of the cache that are looked at in one run."""

SAMPLE = 20
"""Inboxes of a page whose size is measured."""

SETTLING_MS = 10_000
"""Messages younger than this are still on their way."""


def sweep_page(bus: BusSender) -> int:
    """Look at the next page of pending messages. Returns how many entries were put back.

    Raises ValkeyError and StoreUnavailable; the next run looks at the same page again.
    """
    client = sync_client(settings.REDIS_URL)
    now_ms = int(time.time() * 1000)
    store = get_message_store()
    receiver_id, _, message_id = (client.get(CURSOR_KEY) or "").partition(" ")
    page = store.list_waiting_page((receiver_id, message_id), PAGE, now_ms - SETTLING_MS)
    facts = list_delivery_facts(list({user for one in page for user in (one.sender_id, one.receiver_id)}))
    _adopt_orphans(page, facts, now_ms)
    _release_gone_devices(page, facts, now_ms)
    count = _put_back([one.message_id for one in page], bus)
    if len(page) < PAGE:
        client.delete(CURSOR_KEY)
    else:
        client.set(CURSOR_KEY, f"{page[-1].receiver_id} {page[-1].message_id}", ex=3_600)
    return count


def sweep_inboxes() -> int:
    """Look at the next page of inboxes and delete those of devices that are no more. Returns how many.

    A device's inbox goes with the device; but a cache that comes back from a crash may bring old ones with it, and no
    row of the Message DB names them. Raises ValkeyError.
    """
    client = sync_client(settings.REDIS_URL)
    # First the inboxes, then the devices: whatever has an inbox had a device before.
    cursor, devices = list_devices_page(client.get(INBOX_CURSOR_KEY) or "", KEYS)
    facts = list_delivery_facts(sorted({user_id for user_id, _ in devices}))
    gone = _list_gone(sorted(devices), facts)
    for user_id, device_id in gone:
        delete_inbox(user_id, device_id)
    client.set(INBOX_CURSOR_KEY, cursor, ex=3_600)
    return len(gone)


def _adopt_orphans(page: Sequence[Standing], facts: Mapping[str, DeliveryFacts], now_ms: int) -> None:
    """Undelivered messages that wait for no living device of a receiver who has one: it was added meanwhile."""
    orphans = dict.fromkeys(
        one.receiver_id
        for one in page
        if one.undelivered
        and one.receiver_id in facts
        and not set(facts[one.receiver_id].devices) & set(one.pending_devices)
    )
    for user_id in orphans:
        for device_id in facts[user_id].devices:
            get_message_store().adopt_undelivered(user_id, device_id, now_ms)


def _release_gone_devices(page: Sequence[Standing], facts: Mapping[str, DeliveryFacts], now_ms: int) -> None:
    """Devices that were removed, or not seen for DEVICE_STALE_DAYS, are waited for no longer."""
    waited_for = dict.fromkeys(
        (user_id, device_id)
        for one in page
        for user_id, device_ids in ((one.receiver_id, one.pending_devices), (one.sender_id, one.own_devices))
        for device_id in device_ids
    )
    for user_id, device_id in _list_gone(waited_for, facts):
        release_device(user_id, device_id, now_ms)


def _list_gone(devices: Iterable[tuple[str, str]], facts: Mapping[str, DeliveryFacts]) -> list[tuple[str, str]]:
    """Those of (user, device) that are no more, or stale."""
    living = {device_id for each in facts.values() for device_id in each.devices}
    return [(user_id, device_id) for user_id, device_id in devices if device_id not in living]


def release_device(user_id: str, device_id: str, now_ms: int) -> int:
    """Stop waiting for a device. If it comes back its inbox is made anew. Returns how many messages waited for it.

    What only this device was to confirm stays undelivered: the user's other devices, or the next one, get it.
    """
    # The Message DB last: as long as rows wait for the device, a sweep finds what is left to do.
    delete_inbox(user_id, device_id)
    store = get_message_store()
    if groups := store.groups.remove_pointers(user_id, device_id):
        mark_due(dict.fromkeys(groups, 0))
    return store.release_device(user_id, device_id, now_ms)


def _put_back(message_ids: Sequence[str], bus: BusSender) -> int:
    """Put what the inboxes of these messages' devices miss."""
    standings = get_message_store().list_standings(message_ids)
    wanted = [
        (user_id, device_id, one.message_id)
        for one in (standings[message_id] for message_id in message_ids if message_id in standings)
        for user_id, device_ids in ((one.receiver_id, one.pending_devices), (one.sender_id, one.own_devices))
        for device_id in device_ids
    ]
    _measure_inboxes({(user_id, device_id) for user_id, device_id, _ in wanted})
    behind = dict.fromkeys((user_id, device_id) for user_id, device_id, _ in list_missing(wanted))
    return sum(_complete_inbox(user_id, device_id, bus) for user_id, device_id in behind)


def _complete_inbox(user_id: str, device_id: str, bus: BusSender) -> int:
    """Put all that one inbox misses, in its order. Returns how many that were.

    Not only what stands in the page: that is neither all of a conversation nor in its order, and the relay may be about
    to put the same.
    """
    store = get_message_store()
    pending = order_for_inbox(store.list_pending(user_id, device_id, int(time.time() * 1000)))
    count = 0
    for start in range(0, len(pending), PAGE):
        missing = list_missing([(user_id, device_id, message_id) for message_id in pending[start : start + PAGE]])
        bodies = store.list_bodies([message_id for _, _, message_id in missing]) if missing else {}
        changes = [
            Change(
                kind="put",
                user_id=user_id,
                device_id=device_id,
                member=message_id,
                frame=build_incoming(bodies[message_id], for_sender=bodies[message_id].sender_id == user_id),
            )
            for _, _, message_id in missing
            if message_id in bodies
        ]
        deliver_changes(changes, bus)
        count += len(changes)
    SWEEP_PUT_BACK.inc(count)
    return count


def _measure_inboxes(devices: AbstractSet[tuple[str, str]]) -> None:
    for user_id, device_id in random.sample(sorted(devices), min(SAMPLE, len(devices))):
        messages, _ = count_waiting(user_id, device_id)
        INBOX_SIZE.observe(messages)
