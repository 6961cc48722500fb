"""The slow sweep of groups: fan-outs that were cut off or never asked for, and counts of groups page by page."""

import logging
import time

from django.conf import settings

from apps.accounts.selectors import list_delivery_facts
from apps.connections.bus import BusSender
from apps.delivery.fan_out import fan_out
from apps.delivery.group_counts import count_group
from apps.delivery.sweep import release_device
from apps.messagestore.base import StoreUnavailable
from apps.messagestore.store import get_message_store
from apps.valkey.pools import ValkeyError, sync_client

logger = logging.getLogger(__name__)

COUNT_CURSOR_KEY = "sweep:groups"
"""STRING, the group up to which the running round of counts has come; 1 h."""

BEHIND = 200
COUNTED = 50
"""Groups of one run."""

COUNT_SECONDS = 1.0
"""After which a run begins with no further group: where members stay away for long a whole count takes its time."""


def sweep_behind(bus: BusSender) -> int:
    """Fan out what was left. Returns the rows. Raises ValkeyError and StoreUnavailable."""
    return sum(_fan_out(group_id, bus) for group_id in get_message_store().groups.list_behind(BEHIND))


def _fan_out(group_id: str, bus: BusSender) -> int:
    try:
        return fan_out(group_id, bus)
    except (ValkeyError, StoreUnavailable):
        raise
    except Exception:
        # What is wrong with one group must not keep the others waiting.
        logger.exception("the fan-out of %s failed", group_id)
        return 0


def sweep_counts(bus: BusSender) -> int:
    """Count the next groups that have messages somebody waits for, without devices that are gone. Returns how many
    groups. Raises as above.
    """
    client = sync_client(settings.REDIS_URL)
    group_ids = get_message_store().groups.list_waiting_groups(client.get(COUNT_CURSOR_KEY) or "", COUNTED)
    ends_at, done = time.monotonic() + COUNT_SECONDS, 0
    while done < len(group_ids) and (not done or time.monotonic() < ends_at):
        # First the cursor: a run that is killed at a group must not be killed there for ever.
        client.set(COUNT_CURSOR_KEY, group_ids[done], ex=3_600)
        _count_whole(group_ids[done], bus)
        done += 1
    if done == len(group_ids) < COUNTED:
        client.delete(COUNT_CURSOR_KEY)
    return done


def _count_whole(group_id: str, bus: BusSender) -> None:
    try:
        _release_gone_devices(group_id)
        count_group(group_id, bus, whole=True)
    except (ValkeyError, StoreUnavailable):
        raise
    except Exception:
        logger.exception("the count of %s failed", group_id)


def _release_gone_devices(group_id: str) -> None:
    """Devices that were removed, or not seen for DEVICE_STALE_DAYS: nothing is put into their inboxes any more, so one
    that comes back must have its own made anew.
    """
    pointers = [one for one in get_message_store().groups.list_pointers([group_id]) if one.device_id]
    facts = list_delivery_facts(sorted({one.user_id for one in pointers}))
    living = {device_id for each in facts.values() for device_id in each.devices}
    for one in pointers:
        if one.device_id not in living:
            release_device(one.user_id, one.device_id, int(time.time() * 1000))
