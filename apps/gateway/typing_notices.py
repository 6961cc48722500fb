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

Pair = tuple[str, str]
"""Who writes, and to whom."""


class TypingNotices:
    """The latest notice of each pair waits while the last batch is under way."""

    def __init__(self, directory: AccountDirectory) -> None:
        self._directory = directory
        self._waiting: dict[Pair, str] = {}
        self._wake = asyncio.Event()

    def tell(self, connection: "Connection", frame: "Typing") -> None:
        """Pass a notice on, unless too many wait. (One to a group needs the groups.)"""
        if frame.receiver_id not in (None, connection.user_id) and len(self._waiting) < MAX_WAITING:
            self._waiting[connection.user_id, frame.receiver_id] = frame.state
            self._wake.set()

    async def run(self) -> None:
        """Pass on, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, {}
            try:
                await self._pass_on(batch)
            except Exception:
                logger.warning("%d typing notices lost", len(batch), exc_info=True)

    async def _pass_on(self, batch: dict[Pair, str]) -> None:
        unknown = self._directory.unknown(user_id for pair in batch for user_id in pair)
        if unknown:
            await self._directory.learn_from_cache(unknown)
        if unknown := self._directory.unknown(unknown):
            await self._directory.learn_from_database(unknown)
        allowed = [pair for pair in batch if self._may_tell(*pair)]
        servers = await find_servers([receiver_id for _, receiver_id in allowed])
        for pair, by_server in zip(allowed, servers, strict=True):
            sender_id, receiver_id = pair
            frame = server_frames.typing(sender_id=sender_id, receiver_id=receiver_id, state=batch[pair])
            for server_id, device_ids in by_server.items():
                await send_ephemeral(server_id, device_ids, frame)

    def _may_tell(self, sender_id: str, receiver_id: str) -> bool:
        sender, receiver = self._directory.find(sender_id), self._directory.find(receiver_id)
        return (
            sender is not None
            and receiver is not None
            and receiver.exists
            and receiver_id not in sender.blocks
            and sender_id not in receiver.blocks
        )
