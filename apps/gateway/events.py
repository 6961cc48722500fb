"""What other processes tell this one: pushes and pages on the bus, revocations and changes on the control stream."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from apps.accounts.selectors import list_live_devices
from apps.connections import bus, control
from apps.gateway.close_codes import CloseReason
from apps.protocol import server_frames

if TYPE_CHECKING:
    from apps.connections.control import ControlEvent
    from apps.gateway.process import GatewayProcess

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
CHUNK = 500


class GatewayEvents:
    """The two readers of a gateway process; each is one task that is never cancelled before the end."""

    def __init__(self, process: "GatewayProcess") -> None:
        self._process = process

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
        find = self._process.find
        match event.get("type"):
            case bus.PUSH:
                frames = event["frames"]
                for device_id, epoch, counter, index in event["to"]:
                    connection = find(device_id)
                    if connection is not None:
                        connection.push(epoch, counter, frames[index])
            case bus.PAGE:
                for device_id, connection_id, generation, epoch, after, upto, last, frames in event["pages"]:
                    connection = find(device_id)
                    if connection is not None and connection.connection_id == connection_id:
                        connection.page(generation, epoch, after, upto, last, frames)
            case bus.HANDOFF:
                connection = find(event["device"])
                if connection is not None and connection.connection_id < event["connection"]:
                    connection.close(CloseReason.REPLACED)
            case bus.PASS_ON:
                for device_id in event["to"]:
                    connection = find(device_id)
                    if connection is not None:
                        connection.send(event["frame"])
            case unknown:
                logger.error("event of unknown type %r on the bus", unknown)

    # -- the control stream ---------------------------------------------------------------------------------------

    async def read_control(self) -> None:
        """Read and apply, for ever. After a break nothing is taken for granted: all sessions are checked anew."""
        after = "$"
        broken = False
        while True:
            try:
                async for events in control.read_control_events(after):
                    if broken:
                        broken = False
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
                for device_id in event.device_ids:
                    connection = self._process.find(device_id)
                    if connection is not None and connection.user_id == event.user_id:
                        connection.close(CloseReason.REVOKED)
            case control.USER_REVOKED:
                reason = CloseReason.SUSPENDED if "suspend" in event.reason else CloseReason.REVOKED
                for connection in self._of_user(event.user_id):
                    connection.close(reason)
                self._process.directory.forget([event.user_id])
            case control.FACTS_CHANGED:
                self._process.directory.forget([event.user_id])
            case control.SETTINGS_CHANGED:
                for connection in self._of_user(event.user_id):
                    if connection.device_id not in event.device_ids:
                        connection.send(server_frames.settings_changed())
            case unknown:
                logger.error("control event of unknown kind %r", unknown)

    def _of_user(self, user_id: str) -> list[Any]:
        return [connection for connection in self._process.connections() if connection.user_id == user_id]

    async def _check_everybody(self) -> None:
        """Control events may have been lost with the cache: ask the database whose session has ended."""
        self._process.directory.forget_all()
        device_ids = [connection.device_id for connection in self._process.connections()]
        for start in range(0, len(device_ids), CHUNK):
            chunk = device_ids[start : start + CHUNK]
            live = await self._process.threads.run(lambda chunk=chunk: list_live_devices(chunk))
            for device_id in chunk:
                connection = self._process.find(device_id)
                if connection is not None and device_id not in live:
                    connection.close(CloseReason.REVOKED)
