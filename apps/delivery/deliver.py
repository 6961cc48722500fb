"""Inbox first, then push: the two effects that follow the store, for a whole batch at once."""

from collections.abc import Sequence

from apps.connections.bus import BusSender, Push
from apps.inbox.inbox import Change, Place, apply_changes
from apps.observability.stages import note_stage


def deliver_changes(changes: Sequence[Change], bus: BusSender) -> int:
    """Apply the changes to the inboxes, then push what was put to the gateways that have the devices.

    An inbox that must be rebuilt first takes no put: the Message DB has it all, so its connection, if there is one,
    is only told to drain anew. May be repeated. Returns how many pushes went out. Raises ValkeyError.
    """
    places = apply_changes(changes)
    queued = _list_queued(changes, places)
    note_stage("queued", len(queued), (message_id for message_id, _ in queued))
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
    pushed = sum(1 for _, server_id in queued if server_id)
    note_stage("pushed", pushed, (message_id for message_id, server_id in queued if server_id))
    return len(pushes)


def _list_queued(changes: Sequence[Change], places: Sequence[Place | None]) -> list[tuple[str, str]]:
    """Each message that an inbox took, with the gateway of the device; empty where it is not connected."""
    return [
        (change.member, place.server_id)
        for change, place in zip(changes, places, strict=True)
        if change.kind == "put" and place is not None and place.epoch
    ]
