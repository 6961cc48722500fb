"""The presence of whom a person has on screen, looked up for all connections of a process together."""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from apps.accounts.presence import Presence, list_presence_of_pairs
from apps.connections.presence import find_online
from apps.gateway.database import DatabaseThreads
from apps.protocol import server_frames
from apps.protocol.client_frames import OpenChat

if TYPE_CHECKING:
    from apps.gateway.connection import Connection

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Somebody who comes is seen within 5 s; who goes without a word within 65 s, for presence lives 60 s."""


class PresenceWatch:
    """Costs one call a look for all that are watched, and a query where something changed; nothing for the others."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._watched: dict[Connection, str] = {}
        self._told: dict[Connection, bool] = {}
        """What each connection was last told of the one it watches; absent: nothing yet."""

    def open_chat(self, connection: "Connection", frame: OpenChat) -> None:
        """This chat is on the connection's screen now, and no other."""
        self.forget(connection)
        if frame.user_id not in (None, connection.user_id):
            self._watched[connection] = frame.user_id

    def forget(self, connection: "Connection") -> None:
        """No chat is on the connection's screen any more."""
        self._watched.pop(connection, None)
        self._told.pop(connection, None)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._watched:
                try:
                    await self.look()
                except Exception:
                    logger.warning("presence not looked up; next time", exc_info=True)

    async def look(self) -> None:
        """Tell each connection whose watched person came or went. Raises ValkeyError and database errors."""
        watched = dict(self._watched)
        online = await find_online(list(dict.fromkeys(watched.values())))
        changed = {
            connection: user_id
            for connection, user_id in watched.items()
            if self._told.get(connection) != (user_id in online)
        }
        if not changed:
            return
        pairs = [(connection.user_id, user_id) for connection, user_id in changed.items()]
        shown = await self._threads.run(partial(list_presence_of_pairs, pairs, online))
        for connection, user_id in changed.items():
            if self._watched.get(connection) != user_id:
                continue  # another chat was opened meanwhile
            self._told[connection] = user_id in online
            if (presence := shown.get(connection.user_id, {}).get(user_id)) is not None:
                connection.send(_frame(presence))


def _frame(presence: Presence) -> str:
    return server_frames.presence(user_id=presence.user_id, online=presence.online, last_seen_ms=presence.last_seen_ms)
