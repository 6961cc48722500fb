"""What other processes tell this one: pushes and pages on the bus, revocations and changes on the control stream."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from apps.accounts.selectors import list_live_credentials
from apps.connections import bus, control
from apps.gateway.close_codes import CloseReason
from apps.gateway.measures import measure_arrival
from apps.protocol import server_frames

if TYPE_CHECKING:
    from apps.connections.control import ControlEvent
    from apps.gateway.connection import Connection
    from apps.gateway.process import GatewayProcess

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
CHUNK = 500
CHECK_SECONDS = 300.0
"""How often all sessions are checked though nothing was heard: a revocation may not have been published."""

DOUBT_SECONDS = 30.0
"""How long a connection may take from its authentication to its registration."""


class GatewayEvents:
    """The two readers of a gateway process; each is one task that is never cancelled before the end."""

    def __init__(self, process: "GatewayProcess") -> None:
        self._process = process
        self._doubted: dict[str, tuple[float, str]] = {}
        self._checked_at = time.monotonic()
        self._checks: set[asyncio.Task[None]] = set()

    # -- the bus --------------------------------------------------------------------------------------------------

    async def read_bus(self) -> None:
        """Read and apply, for ever. What is lost meanwhile a drain finds."""
        while True:
            try:
                async for event in bus.read_gateway_events(self._process.server_id):
                    self._apply(event)
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.warning("the bus does not answer; trying again", exc_info=True)
                await asyncio.sleep(RETRY_SECONDS)

    def _apply(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case bus.PUSH:
                self._push(event["frames"], event["to"])
            case bus.PAGE:
                self._page(event["pages"])
            case bus.HANDOFF:
                connection = self._process.find(event["device"])
                # A newcomer is found here before it is registered: this is not about it.
                if connection is not None and 0 < connection.connection_id < event["connection"]:
                    connection.hand_over(event.get("client", 0))
            case bus.VIEWERS:
                self._process.open_groups.tell([(one[0], one[1], one[2]) for one in event["frames"]])
            case bus.EPHEMERAL:
                for device_id in event["to"]:
                    if (connection := self._process.find(device_id)) is not None and connection.connection_id:
                        connection.send(event["frame"])
            case unknown:
                logger.error("event of unknown type %r on the bus", unknown)

    def _push(self, frames: list[str], to: list[list[Any]]) -> None:
        for device_id, epoch, counter, index in to:
            if (connection := self._process.find(device_id)) is not None:
                connection.push(epoch, counter, frames[index])
        if to:
            self._sample_arrival(frames, *to[len(to) // 2])

    def _sample_arrival(self, frames: list[str], device_id: str, epoch: str, counter: int, index: int) -> None:
        """Measure one push of a batch, if it was not one that has to wait."""
        connection = self._process.find(device_id)
        if connection is not None and connection.cursor.epoch == epoch and connection.cursor.position >= counter:
            # The task that writes it was started before, so it has its turn before.
            asyncio.get_running_loop().call_soon(measure_arrival, frames[index])

    def _page(self, pages: list[list[Any]]) -> None:
        for device_id, connection_id, generation, epoch, after, upto, last, frames in pages:
            connection = self._process.find(device_id)
            if connection is not None and connection.connection_id == connection_id:
                connection.page(generation, epoch, after, upto, last, frames)

    # -- the control stream ---------------------------------------------------------------------------------------

    async def read_control(self) -> None:
        """Read and apply, for ever. After a break nothing is taken for granted: all sessions are checked anew."""
        after = "$"
        broken = False
        while True:
            try:
                async for events in control.read_control_events(after):
                    if broken or time.monotonic() - self._checked_at > CHECK_SECONDS:
                        broken = False
                        self._checked_at = time.monotonic()
                        self._process.bans.note_change()
                        await self._check_everybody()
                    for event in events:
                        after = event.stream_id
                        self._obey(event)
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.warning("the control stream does not answer; trying again", exc_info=True)
                broken = True
                await asyncio.sleep(RETRY_SECONDS)

    def _obey(self, event: "ControlEvent") -> None:
        match event.kind:
            case control.DEVICES_REVOKED:
                self._process.sessions.forget(event.user_id)
                self._doubt(event.user_id, "")
            case control.USER_REVOKED:
                self._process.sessions.forget(event.user_id)
                self._process.directory.forget([event.user_id])
                self._doubt(event.user_id, event.reason)
            case control.USER_DISCONNECTED:
                for connection in self._of_user(event.user_id):
                    connection.outgoing.close_at_once(CloseReason.REVOKED)
            case control.FACTS_CHANGED:
                self._process.directory.forget([event.user_id])
                self._process.presence.note_change(event.user_id)
            case control.SETTINGS_CHANGED:
                self._process.presence.note_change(event.user_id)
                for connection in self._of_user(event.user_id):
                    if connection.connection_id and connection.device_id not in event.device_ids:
                        connection.send(server_frames.settings_changed())
            case control.BANS_CHANGED:
                self._process.bans.note_change()
            case unknown:
                logger.error("control event of unknown kind %r", unknown)

    def _of_user(self, user_id: str) -> "list[Connection]":
        return [connection for connection in self._process.connections() if connection.user_id == user_id]

    # -- sessions that may have ended -----------------------------------------------------------------------------

    def check_newcomer(self, connection: "Connection") -> None:
        """A connection has opened: if its user's sessions were revoked while it authenticated, look again."""
        until, reason = self._doubted.get(connection.user_id, (0.0, ""))
        if time.monotonic() < until:
            self._start_check([connection], reason)

    def _doubt(self, user_id: str, reason: str) -> None:
        """Some sessions of this user have ended. Which, the database says: one may have begun since, with a new
        credential.
        """
        now = time.monotonic()
        self._doubted = {one: doubt for one, doubt in self._doubted.items() if doubt[0] > now}
        self._doubted[user_id] = (now + DOUBT_SECONDS, reason)
        if connections := self._of_user(user_id):
            self._start_check(connections, reason)

    def _start_check(self, connections: "list[Connection]", reason: str) -> None:
        task = asyncio.create_task(self._check_or_close(connections, reason))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _check_or_close(self, connections: "list[Connection]", reason: str) -> None:
        """Whoever cannot be checked is closed by a code with which clients come back, to be asked who they are: nobody
        whose session goes on is told that it has ended.
        """
        try:
            await self._check(connections, reason)
        except Exception:
            logger.warning("sessions not checked; %d connections closed", len(connections), exc_info=True)
            for connection in connections:
                connection.outgoing.close_at_once(CloseReason.RESTARTING)

    async def _check(self, connections: "list[Connection]", reason: str) -> None:
        hashes = [connection.credential_hash for connection in connections]
        live = await self._process.threads.run(lambda: list_live_credentials(hashes))
        for connection in connections:
            if connection.credential_hash not in live:
                code = CloseReason.SUSPENDED if "suspend" in reason else CloseReason.REVOKED
                connection.outgoing.close_at_once(code)

    async def _check_everybody(self) -> None:
        """Control events may have been lost with the cache: ask the database whose session has ended."""
        self._process.directory.forget_all()
        self._process.sessions.forget_all()
        self._process.presence.note_any_change()
        connections = list(self._process.connections())
        for start in range(0, len(connections), CHUNK):
            await self._check(connections[start : start + CHUNK], "")
