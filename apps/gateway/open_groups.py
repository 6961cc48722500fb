"""Which groups are open on which connections of this process: what concerns only viewers goes to them alone."""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.groups.facts import member_key
from apps.groups.viewers import note_viewers
from apps.ingest.permissions import AccountDirectory

if TYPE_CHECKING:
    from apps.gateway.connection import Connection
    from apps.protocol.client_frames import OpenChat

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0


class OpenGroups:
    """Costs a call for each group that was opened a moment ago, and one for all that are open every 30 s."""

    def __init__(self, server_id: str, directory: AccountDirectory) -> None:
        self._server_id = server_id
        self._directory = directory
        self._viewers: defaultdict[str, set[Connection]] = defaultdict(set)
        self._open: dict[Connection, str] = {}
        self._new: set[str] = set()
        self._wake = asyncio.Event()

    def open_chat(self, connection: "Connection", frame: "OpenChat") -> None:
        """This chat is on the connection's screen now, and no other."""
        self.forget(connection)
        if frame.group_id is not None:
            self._open[connection] = frame.group_id
            self._viewers[frame.group_id].add(connection)
            self._new.add(frame.group_id)
            self._wake.set()

    def forget(self, connection: "Connection") -> None:
        """No group is on the connection's screen any more."""
        group_id = self._open.pop(connection, None)
        if group_id is None:
            return
        self._viewers[group_id].discard(connection)
        if not self._viewers[group_id]:
            del self._viewers[group_id]

    def tell(self, frames: Sequence[tuple[str, str, str]]) -> None:
        """Write (group, frame, user who is not told) to those members who have the group open."""
        for group_id, frame, except_user in frames:
            for connection in self._viewers.get(group_id, ()):
                member = self._directory.find_member(group_id, connection.user_id)
                if member is None:
                    # What was known of them has changed: until it is known anew nothing is told.
                    self._new.add(group_id)
                    self._wake.set()
                elif member.exists and connection.user_id != except_user:
                    connection.send(frame)

    async def run(self) -> None:
        """Let others know what is open here, for ever."""
        refresh_at = time.monotonic() + REFRESH_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(refresh_at - time.monotonic()):
                    await self._wake.wait()
            self._wake.clear()
            group_ids, self._new = self._new, set()
            # However many are opened meanwhile, those that stay open have their turn.
            if time.monotonic() >= refresh_at:
                refresh_at = time.monotonic() + REFRESH_SECONDS
                group_ids = set(self._viewers)
            try:
                await self._note([one for one in group_ids if one in self._viewers])
            except Exception:
                logger.warning("%d open groups not noted; the next round does it", len(group_ids), exc_info=True)

    async def _note(self, group_ids: Sequence[str]) -> None:
        if not group_ids:
            return
        names = [member_key(one, connection.user_id) for one in group_ids for connection in self._viewers[one]]
        await learn(self._directory, names)
        await note_viewers(self._server_id, group_ids)


async def learn(directory: AccountDirectory, names: Sequence[str]) -> None:
    """See to it that these facts are known. Raises ValkeyError, or what the database raises."""
    if unknown := directory.unknown(names):
        await directory.learn_from_cache(unknown)
    if unknown := directory.unknown(unknown):
        await directory.learn_from_database(unknown)
