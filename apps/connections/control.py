"""The control stream: what every gateway must learn within 2 s. Written by services on commit, read by each gateway.

One stream, resumed by id, so that a gateway that lost its connection to Valkey misses nothing. All that publishes
raises ValkeyError: whoever does so on commit has it logged (``robust``), a person who asked for it is told.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from apps.valkey.pools import ValkeyError, async_client, sync_client

CONTROL_KEY = "control:events"
"""STREAM of the last ~10,000 control events; no TTL."""

CONTROL_LENGTH = 10_000
BLOCK_MS = 5_000

DEVICES_REVOKED = "devices_revoked"
USER_REVOKED = "user_revoked"
USER_DISCONNECTED = "user_disconnected"
FACTS_CHANGED = "facts_changed"
SETTINGS_CHANGED = "settings_changed"
BANS_CHANGED = "bans_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEvent:
    """One entry. ``device_ids`` is empty where it is about the whole user, ``user_id`` where it is about the site."""

    stream_id: str
    kind: str
    user_id: str
    device_ids: tuple[str, ...]
    reason: str


def publish_devices_revoked(user_id: str, device_ids: Sequence[str], reason: str) -> None:
    """Close these devices' sockets on every gateway with 4403."""
    _publish(DEVICES_REVOKED, [user_id], device_ids, reason)


def publish_user_revoked(user_id: str, reason: str) -> None:
    """Close all of a user's sockets on every gateway with 4403."""
    _publish(USER_REVOKED, [user_id], (), reason)


def publish_user_disconnected(user_id: str) -> None:
    """Close all of a user's sockets on every gateway with 4403 though the sessions behind them go on."""
    _publish(USER_DISCONNECTED, [user_id], (), "")


def publish_facts_changed(user_ids: Sequence[str]) -> None:
    """Make every gateway forget what it remembers of these accounts."""
    _publish(FACTS_CHANGED, user_ids, (), "")


def publish_settings_changed(user_id: str, except_device_id: str) -> None:
    """Tell the user's other devices to fetch the settings anew."""
    _publish(SETTINGS_CHANGED, [user_id], (except_device_id,), "")


def publish_bans_changed() -> None:
    """Make every gateway read the bans by address anew."""
    _publish(BANS_CHANGED, [""], (), "")


def _publish(kind: str, user_ids: Sequence[str], device_ids: Sequence[str], reason: str) -> None:
    """Append. Raises ValkeyError where the cache is down; gateways check all their sessions anew when it is back."""
    for last_try in (False, True):
        try:
            with sync_client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
                for user_id in user_ids:
                    fields = {"kind": kind, "user": user_id, "devices": ",".join(device_ids), "reason": reason}
                    pipeline.xadd(CONTROL_KEY, fields, maxlen=CONTROL_LENGTH, approximate=True)
                pipeline.execute()
            return
        except ValkeyError:
            # The first command after a restart of the server finds a dead connection. Twice is harmless.
            if last_try:
                raise


async def read_control_events(after: str) -> AsyncIterator[list[ControlEvent]]:
    """Batches of events after a stream id (``$`` = from now), for ever; an empty batch at once and every quiet while.

    Raises ValkeyError when the connection breaks; call again with the last id seen.
    """
    client = async_client(settings.REDIS_URL, answer_timeout=BLOCK_MS / 1000 + 10)
    if after == "$":
        newest = await client.xrevrange(CONTROL_KEY, count=1)
        after = newest[0][0] if newest else "0-0"
    await client.ping()
    yield []
    while True:
        answer = await client.xread({CONTROL_KEY: after}, count=500, block=BLOCK_MS)
        entries = [entry for _, batch in answer for entry in batch]
        events = [_to_event(stream_id, fields) for stream_id, fields in entries]
        if events:
            after = events[-1].stream_id
        yield events


def _to_event(stream_id: str, fields: Mapping[str, str]) -> ControlEvent:
    devices = fields.get("devices", "")
    return ControlEvent(
        stream_id=stream_id,
        kind=fields.get("kind", ""),
        user_id=fields.get("user", ""),
        device_ids=tuple(devices.split(",")) if devices else (),
        reason=fields.get("reason", ""),
    )
