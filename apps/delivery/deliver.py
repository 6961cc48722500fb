"""Inbox first, then push: the two effects that follow the store, for a whole batch at once."""

from collections.abc import Sequence

from apps.connections.bus import BusSender, Push
from apps.inbox.inbox import Change, apply_changes


def deliver_changes(changes: Sequence[Change], bus: BusSender) -> int:
    """Apply the changes to the inboxes, then push what was put to the gateways that have the devices.

    An inbox that must be rebuilt first takes no put: the Message DB has it all, so its connection, if there is one,
    is only told to drain anew. May be repeated. Returns how many pushes went out. Raises ValkeyError.
    """
    places = apply_changes(changes)
    pushes = [
        Push(
            server_id=place.server_id,
            device_id=change.device_id,
            epoch=place.epoch,
            counter=place.counter,
            frame=change.frame if place.epoch else "",
        )
        for change, place in zip(changes, places, strict=True)
        if place is not None and place.server_id
    ]
    bus.push(pushes)
    return len(pushes)
