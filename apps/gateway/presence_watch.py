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
    """Costs one call a look for all that are watched, and a query where something changed; nothing for the others.

    A connection is told what its user may see, and only when that changes: a frame at the moment when somebody comes or
    goes who is hidden from this user would tell just that, whatever stands in it.
    """

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._watched: dict[Connection, str] = {}
        self._online: dict[Connection, bool] = {}
        """Whether the one whom each connection watches was online at the last query; absent: there was none."""

        self._told: dict[Connection, Presence] = {}
        """What each connection was last told of the one it watches; absent: nothing yet."""

        self._doubted: set[str] = set()
        """Users of whom others may see more or less than at the last look."""

    def open_chat(self, connection: "Connection", frame: OpenChat) -> None:
        """This chat is on the connection's screen now, and no other."""
        self.forget(connection)
        if frame.user_id not in (None, connection.user_id):
            self._watched[connection] = frame.user_id

    def forget(self, connection: "Connection") -> None:
        """No chat is on the connection's screen any more."""
        self._watched.pop(connection, None)
        self._online.pop(connection, None)
        self._told.pop(connection, None)

    def note_change(self, user_id: str) -> None:
        """A block, a suspension or a setting of this user changed: the next look asks anew what may be seen."""
        self._doubted.add(user_id)

    def note_any_change(self) -> None:
        """The same for all, since the word of a change may have been lost."""
        self._doubted.update(self._watched.values())

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception:
                logger.warning("presence not looked up; next time", exc_info=True)

    async def look(self) -> None:
        """Tell each connection for whom the watched person looks otherwise than before.

        Raises ValkeyError and database errors.
        """
        # Taken before anything is read: who changes meanwhile is asked for by the next look.
        doubted, self._doubted = self._doubted, set()
        if not self._watched:
            return
        try:
            await self._look(doubted)
        except BaseException:
            self._doubted |= doubted
            raise

    async def _look(self, doubted: set[str]) -> None:
        watched = dict(self._watched)
        online = await find_online(list(dict.fromkeys(watched.values())))
        changed = {
            connection: user_id
            for connection, user_id in watched.items()
            if user_id in doubted or self._online.get(connection) != (user_id in online)
        }
        if not changed:
            return
        pairs = [(connection.user_id, user_id) for connection, user_id in changed.items()]
        shown = await self._threads.run(partial(list_presence_of_pairs, pairs, online))
        for connection, user_id in changed.items():
            if self._watched.get(connection) != user_id:
                continue  # another chat was opened meanwhile
            self._online[connection] = user_id in online
            self._tell(connection, user_id, shown.get(connection.user_id, {}).get(user_id))

    def _tell(self, connection: "Connection", user_id: str, presence: Presence | None) -> None:
        told = self._told.get(connection)
        if presence is None:
            if told is None:
                return  # there is nobody with this id
            presence = Presence(user_id=user_id, online=False, last_seen_ms=None)  # the account is gone
        if told is None or _look_of(told) != _look_of(presence):
            self._told[connection] = presence
            connection.send(_frame(presence))


def _look_of(presence: Presence) -> tuple[bool, int | bool | None]:
    """What makes a difference on the screen: of somebody online the time moves on by itself."""
    moves = presence.online and presence.last_seen_ms is not None
    return presence.online, True if moves else presence.last_seen_ms


def _frame(presence: Presence) -> str:
    return server_frames.presence(user_id=presence.user_id, online=presence.online, last_seen_ms=presence.last_seen_ms)
