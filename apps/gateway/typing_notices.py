"""Typing notices: from server to server, stored nowhere, and the first to be dropped."""

import asyncio
import logging
from typing import TYPE_CHECKING

from apps.connections.bus import send_ephemeral, send_to_viewers
from apps.connections.registry import find_servers
from apps.gateway.open_groups import learn
from apps.groups.facts import member_key
from apps.groups.viewers import find_viewers_async
from apps.ingest.permissions import AccountDirectory
from apps.protocol import server_frames
from apps.protocol.ids import is_group_id

if TYPE_CHECKING:
    from apps.gateway.connection import Connection
    from apps.protocol.client_frames import Typing

logger = logging.getLogger(__name__)

MAX_WAITING = 1_000
MAX_IN_GROUP = 5

Pair = tuple[str, str]
"""Who writes, and to whom."""


class TypingNotices:
    """The latest notice of each pair waits while the last batch is under way."""

    def __init__(self, directory: AccountDirectory) -> None:
        self._directory = directory
        self._waiting: dict[Pair, str] = {}
        self._wake = asyncio.Event()

    def tell(self, connection: "Connection", frame: "Typing") -> None:
        """Pass a notice on, unless too many wait."""
        told = frame.group_id or frame.receiver_id
        if told not in (None, connection.user_id) and len(self._waiting) < MAX_WAITING:
            self._waiting[connection.user_id, told] = frame.state
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
        to_groups = {pair: state for pair, state in batch.items() if is_group_id(pair[1])}
        await self._tell_people({pair: state for pair, state in batch.items() if pair not in to_groups})
        await self._tell_groups(to_groups)

    async def _tell_people(self, batch: dict[Pair, str]) -> None:
        await learn(self._directory, [user_id for pair in batch for user_id in pair])
        allowed = [pair for pair in batch if self._may_tell(*pair)]
        servers = await find_servers([receiver_id for _, receiver_id in allowed])
        for pair, by_server in zip(allowed, servers, strict=True):
            sender_id, receiver_id = pair
            frame = server_frames.typing(sender_id=sender_id, receiver_id=receiver_id, state=batch[pair])
            for server_id, device_ids in by_server.items():
                await send_ephemeral(server_id, device_ids, frame)

    async def _tell_groups(self, batch: dict[Pair, str]) -> None:
        """To those who have the group open; of one group at most a few at once, for nobody can read more."""
        await learn(self._directory, [one for pair in batch for one in (pair[1], member_key(pair[1], pair[0]))])
        by_group: dict[str, list[tuple[str, str, str]]] = {}
        for (sender_id, group_id), state in batch.items():
            if self._is_member(group_id, sender_id):
                frame = server_frames.typing(sender_id=sender_id, group_id=group_id, state=state)
                by_group.setdefault(group_id, []).append((group_id, frame, sender_id))
        viewers = await find_viewers_async(list(by_group)) if by_group else {}
        for group_id, frames in by_group.items():
            for server_id in viewers[group_id]:
                await send_to_viewers(server_id, frames[:MAX_IN_GROUP])

    def _is_member(self, group_id: str, user_id: str) -> bool:
        """Whoever was in a group when it was deleted stays a member of it, and nobody is to hear them."""
        group, member = self._directory.find_group(group_id), self._directory.find_member(group_id, user_id)
        return group is not None and group.exists and member is not None and member.exists

    def _may_tell(self, sender_id: str, receiver_id: str) -> bool:
        sender, receiver = self._directory.find(sender_id), self._directory.find(receiver_id)
        return (
            sender is not None
            and receiver is not None
            and receiver.exists
            and receiver_id not in sender.blocks
            and sender_id not in receiver.blocks
        )
