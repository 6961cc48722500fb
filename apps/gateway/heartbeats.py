"""Heartbeats of all connections of a process: renewed together, once a second, in one call."""

import asyncio
import logging
from typing import TYPE_CHECKING

from apps.connections.registry import Renewal, note_gateway, renew_connections
from apps.gateway.close_codes import CloseReason
from apps.protocol.limits import ANSWER_TIMEOUT_SECONDS, HEARTBEAT_TIMEOUT_SECONDS
from apps.valkey.pools import ValkeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from apps.gateway.connection import Connection

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
BATCH = 2_000


class Heartbeats:
    """Gathers heartbeats and renews. ``everybody`` lists all connections, for the case that the registry was lost."""

    def __init__(self, server_id: str, everybody: "Callable[[], Collection[Connection]]") -> None:
        self._server_id = server_id
        self._everybody = everybody
        self._beating: dict[Connection, None] = {}

    def beat(self, connection: "Connection") -> None:
        """A client's heartbeat: renewed within a second."""
        self._beating[connection] = None

    look_again = beat

    async def run(self) -> None:
        """Renew for ever."""
        known = True
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                was_known = await note_gateway(self._server_id, len(self._everybody()))
                if not was_known or not known:
                    # The registry was lost or could not be reached: write all of ours anew, and see which inboxes are
                    # behind.
                    self._beating = dict.fromkeys(self._everybody())
                known = False
                await self._renew()
                known = True
            except (ValkeyError, OSError) as error:
                known = False
                logger.warning("registry not renewed: %s", error)

    async def _renew(self) -> None:
        while self._beating:
            batch = list(self._beating)[:BATCH]
            beating = [one for one in batch if one.connection_id and not one.outgoing.closing]
            renewals = [
                Renewal(
                    user_id=connection.user_id,
                    device_id=connection.device_id,
                    connection_id=connection.connection_id,
                    connected_at_ms=connection.connected_at_ms,
                    epoch=connection.cursor.epoch,
                    written_up_to=connection.acknowledged_position(),
                )
                for connection in beating
            ]
            standings = await renew_connections(self._server_id, renewals) if renewals else []
            for connection in batch:
                self._beating.pop(connection, None)
            for connection, standing in zip(beating, standings, strict=True):
                connection.look(standing)


class Silence:
    """Closes connections that are silent for too long. Costs nothing for a connection but a place in two ordered
    dicts.
    """

    def __init__(self, now: "Callable[[], float]") -> None:
        self._now = now
        self._heard: dict[Connection, float] = {}
        self._unanswered: dict[Connection, float] = {}

    def heartbeat(self, connection: "Connection") -> None:
        """A heartbeat, or the connect."""
        self._heard.pop(connection, None)
        self._heard[connection] = self._now()

    def expect_answer(self, connection: "Connection") -> None:
        """A message was pushed: some frame must come."""
        if connection not in self._unanswered:
            self._unanswered[connection] = self._now()

    def answered(self, connection: "Connection") -> None:
        """Any frame came."""
        self._unanswered.pop(connection, None)

    def forget(self, connection: "Connection") -> None:
        """The connection ended."""
        self._heard.pop(connection, None)
        self._unanswered.pop(connection, None)

    async def run(self) -> None:
        """Look once a second; the oldest stand first, so only those that are due are touched."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            self._close_due(self._heard, HEARTBEAT_TIMEOUT_SECONDS, CloseReason.SILENT)
            self._close_due(self._unanswered, ANSWER_TIMEOUT_SECONDS, CloseReason.NO_ANSWER)

    def _close_due(self, since: "dict[Connection, float]", seconds: float, reason: CloseReason) -> None:
        now = self._now()
        while since:
            connection, at = next(iter(since.items()))
            if now - at < seconds:
                return
            del since[connection]
            connection.close(reason)
