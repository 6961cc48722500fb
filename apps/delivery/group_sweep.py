"""The slow sweep of groups: fan-outs that were cut off or never asked for, and counts of groups page by page."""

from django.conf import settings

from apps.connections.bus import BusSender
from apps.delivery.fan_out import fan_out
from apps.delivery.group_counts import count_group
from apps.messagestore.store import get_message_store
from apps.valkey.pools import sync_client

COUNT_CURSOR_KEY = "sweep:groups"
"""STRING, the group up to which the running round of counts has come; 1 h."""

BEHIND = 200
COUNTED = 50
"""Groups of one run."""


def sweep_behind(bus: BusSender) -> int:
    """Fan out what was left. Returns the rows. Raises ValkeyError and StoreUnavailable."""
    return sum(fan_out(group_id, bus) for group_id in get_message_store().groups.list_behind(BEHIND))


def sweep_counts(bus: BusSender) -> int:
    """Count the next groups that have messages somebody waits for. Returns how many groups. Raises as above."""
    client = sync_client(settings.REDIS_URL)
    group_ids = get_message_store().groups.list_waiting_groups(client.get(COUNT_CURSOR_KEY) or "", COUNTED)
    for group_id in group_ids:
        count_group(group_id, bus)
    if len(group_ids) < COUNTED:
        client.delete(COUNT_CURSOR_KEY)
    else:
        client.set(COUNT_CURSOR_KEY, group_ids[-1], ex=3_600)
    return len(group_ids)
