"""The bus between processes: batches for one gateway over the channel layer (channels-redis).

It may drop whatever it likes: the device's counter finds the gap and a drain fills it.
"""

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from apps.connections.keys import gateway_channel
from apps.observability.metrics import BUS_DROPPED
from apps.valkey.pools import ValkeyError, sync_client

logger = logging.getLogger(__name__)

# Channel-layer events, each with its fields.
PUSH = "push"  # frames: [text], to: [[device, epoch, counter, index of its frame]]
PAGE = "page"  # pages: [[device, connection, generation, epoch, after, upto, last, frames]]
HANDOFF = "handoff"  # device, connection: the newer connection's id, client: whose it is, where its polls tell, else 0
VIEWERS = "viewers"  # frames: [[group, frame, user who is not told]], for whoever has the group open
EPHEMERAL = "ephemeral"  # to: [device], frame: one that no inbox keeps (typing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One frame for one connected device, at its place in the device's numbering.

    With an empty epoch and frame it only says: drain anew, the inbox must be rebuilt.
    """

    server_id: str
    device_id: str
    epoch: str
    counter: int
    frame: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a device's inbox held after counter ``after`` and up to ``upto``; ``last`` says that nothing is left."""

    server_id: str
    device_id: str
    connection_id: int
    generation: int
    epoch: str
    after: int
    upto: int
    last: bool
    frames: tuple[str, ...]


class BusSender:
    """Sends from a process that is not async: relay, Celery worker.

    It publishes what the channel layer's own ``send`` would: an event loop for each batch cost a tenth of the
    relay's time.
    """

    def __init__(self) -> None:
        self._serialize = get_channel_layer().serialize

    def push(self, pushes: Sequence[Push]) -> None:
        """Send pushes, one event a gateway. A failure is logged: the inbox keeps all."""
        by_server: dict[str, list[Push]] = defaultdict(list)
        for push in pushes:
            by_server[push.server_id].append(push)
        self._send({server_id: _push_event(batch) for server_id, batch in by_server.items()})

    def send_pages(self, pages: Sequence[Page]) -> None:
        """Send pages of drains, one event a gateway. A failure is logged: the connection asks again."""
        by_server: dict[str, list[list[Any]]] = defaultdict(list)
        for page in pages:
            by_server[page.server_id].append(
                [
                    page.device_id,
                    page.connection_id,
                    page.generation,
                    page.epoch,
                    page.after,
                    page.upto,
                    page.last,
                    list(page.frames),
                ]
            )
        self._send({server_id: {"type": PAGE, "pages": batch} for server_id, batch in by_server.items()})

    def tell_viewers(self, frames: Sequence[tuple[str, str, str]]) -> None:
        """Send (gateway, group, frame) to whoever has the group open there. It may be lost: they ask now and then."""
        by_server: dict[str, list[list[str]]] = defaultdict(list)
        for server_id, group_id, frame in frames:
            by_server[server_id].append([group_id, frame, ""])
        self._send({server_id: {"type": VIEWERS, "frames": batch} for server_id, batch in by_server.items()})

    def _send(self, events: Mapping[str, dict[str, Any]]) -> None:
        if not events:
            return
        try:
            self._publish(events)
        except (ValkeyError, OSError):
            # The first send after a restart of the server finds a dead connection, the second makes a new one. What was
            # sent twice is dropped by its counter.
            self._send_again(events)

    def _send_again(self, events: Mapping[str, dict[str, Any]]) -> None:
        try:
            self._publish(events)
        except (ValkeyError, OSError) as error:
            BUS_DROPPED["failed"].inc(len(events))
            logger.warning("events for %s not sent, drains will fill the gap: %s", ", ".join(events), error)

    def _publish(self, events: Mapping[str, dict[str, Any]]) -> None:
        with sync_client(settings.CHANNEL_LAYER_URL).pipeline(transaction=False) as pipeline:
            for server_id, event in events.items():
                pipeline.publish(gateway_channel(server_id), self._serialize(event))
            BUS_DROPPED["gone"].inc(pipeline.execute().count(0))


async def _send_all(events: Mapping[str, dict[str, Any]]) -> None:
    layer = get_channel_layer()
    for server_id, event in events.items():
        await layer.send(gateway_channel(server_id), event)


def _push_event(batch: Sequence[Push]) -> dict[str, Any]:
    """One event for one gateway; a frame for several devices stands in it once."""
    frames: dict[str, int] = {}
    to = [[push.device_id, push.epoch, push.counter, frames.setdefault(push.frame, len(frames))] for push in batch]
    return {"type": PUSH, "frames": list(frames), "to": to}


async def send_handoff(server_id: str, device_id: str, connection_id: int, client: int) -> None:
    """Tell a gateway that a newer connection of this device has come. Only the fast way: a heartbeat finds it too."""
    await _send_all({server_id: {"type": HANDOFF, "device": device_id, "connection": connection_id, "client": client}})


async def send_ephemeral(server_id: str, device_ids: Sequence[str], frame: str) -> None:
    """Send a frame that may be lost to connected devices of one gateway."""
    await _send_all({server_id: {"type": EPHEMERAL, "to": list(device_ids), "frame": frame}})


async def send_to_viewers(server_id: str, frames: Sequence[tuple[str, str, str]]) -> None:
    """Send (group, frame, user who is not told) to whoever has the group open at a gateway. It may be lost."""
    await _send_all({server_id: {"type": VIEWERS, "frames": [list(one) for one in frames]}})


async def read_gateway_events(server_id: str) -> AsyncIterator[dict[str, Any]]:
    """This gateway's events, for ever. Raises what the channel layer raises."""
    layer = get_channel_layer()
    channel = gateway_channel(server_id)
    while True:
        try:
            event = await layer.receive(channel)
        except Exception:
            # channels-redis believes itself subscribed from the first try on, even if that failed: make it forget.
            await layer.flush()
            raise
        yield event
