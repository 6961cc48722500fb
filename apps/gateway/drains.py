"""Asking Celery for drains: by task name, off the event loop, many connections in one task."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from celery import current_app

from apps.observability.metrics import DRAINS_ASKED

if TYPE_CHECKING:
    from apps.gateway.connection import Connection

logger = logging.getLogger(__name__)

CONNECTIONS_A_TASK = 50


class DrainRequests:
    """Gathers requests while the last ones are being handed over. A lost one is asked again by its connection."""

    def __init__(self, server_id: str) -> None:
        self._server_id = server_id
        self._waiting: dict[str, dict[str, list[Any]]] = {"delivery.drain_gaps": {}, "delivery.drain": {}}
        self._wake = asyncio.Event()

    def ask(self, connection: "Connection", generation: int, epoch: str, after: int, *, gap: bool) -> None:
        """Ask for the next page of a connection's inbox; a newer request of a device replaces one that waits."""
        task = "delivery.drain_gaps" if gap else "delivery.drain"
        self._waiting[task][connection.device_id] = [
            self._server_id,
            connection.user_id,
            connection.device_id,
            connection.connection_id,
            generation,
            epoch,
            after,
        ]
        DRAINS_ASKED["gap" if gap else "page"].inc()
        self._wake.set()

    async def run(self) -> None:
        """Hand over what gathered, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for task, waiting in self._waiting.items():
                while waiting:
                    devices = list(waiting)[:CONNECTIONS_A_TASK]
                    requests = [waiting.pop(device_id) for device_id in devices]
                    await self._hand_over(task, requests)

    @staticmethod
    async def _hand_over(task: str, requests: list[list[Any]]) -> None:
        try:
            await asyncio.to_thread(current_app.send_task, task, args=[requests], expires=30, retry=False)
        except Exception:
            logger.warning("%d drains not asked for; their connections ask again", len(requests), exc_info=True)
