"""Typing notices: from server to server, stored nowhere, and the first to be dropped."""

import asyncio
import logging
from typing import TYPE_CHECKING

from apps.connections.bus import send_ephemeral
from apps.connections.registry import find_servers
from apps.ingest.permissions import AccountDirectory
from apps.protocol import server_frames

if TYPE_CHECKING:
    from apps.gateway.connection import Connection
    from apps.protocol.client_frames import Typing

logger = logging.getLogger(__name__)

MAX_WAITING = 1_000


class TypingNotices:
    """The latest notice of each pair waits while the last batch is under way."""

    def __init__(self, directory: AccountDirectory) -> None:
        self._directory = directory
        self._waiting: dict[tuple[str, str], str] = {}
        self._wake = asyncio.Event()

    def tell(self, connection: "Connection", frame: "Typing") -> None:
        """Pass a notice on, unless the two block each other or too many wait. (Groups: with the groups.)"""
        sender_id, receiver_id = connection.user_id, frame.receiver_id
        if receiver_id is None or len(self._waiting) >= MAX_WAITING or self._blocked(sender_id, receiver_id):
            return
        self._waiting[sender_id, receiver_id] = frame.state
        self._wake.set()

    def _blocked(self, sender_id: str, receiver_id: str) -> bool:
        """Only facts that are at hand count: people who have written to each other are remembered."""
        sender, receiver = self._directory.find(sender_id), self._directory.find(receiver_id)
        return sender is None or receiver is None or receiver_id in sender.blocks or sender_id in receiver.blocks

    async def run(self) -> None:
        """Pass on, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, {}
            try:
                servers = await find_servers([receiver_id for _, receiver_id in batch])
                for ((sender_id, receiver_id), state), devices in zip(batch.items(), servers, strict=True):
                    frame = server_frames.typing(sender_id=sender_id, receiver_id=receiver_id, state=state)
                    for server_id, device_ids in devices.items():
                        await send_ephemeral(server_id, device_ids, frame)
            except Exception:
                logger.warning("%d typing notices lost", len(batch), exc_info=True)
