"""Which polls belong to which connection: opens, finds and forgets the connections of clients that poll."""

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from apps.connections.registry import find_connection_id
from apps.gateway.authentication import Credential, Refused, find_device
from apps.gateway.close_codes import CloseReason
from apps.gateway.entrance import admit, count_connection
from apps.gateway.poll_connection import PollConnection
from apps.protocol import server_frames
from apps.protocol.polls import PollMark, decode_mark
from apps.valkey.pools import ValkeyError

if TYPE_CHECKING:
    from apps.accounts.credentials import DeviceIdentity
    from apps.gateway.process import GatewayProcess

logger = logging.getLogger(__name__)


class PollConnections:
    """The polling clients of a gateway process, by credential: a known one costs no look at the database, for whoever
    ends a session closes its connection.
    """

    def __init__(self, process: "GatewayProcess") -> None:
        self._process = process
        self._by_credential: dict[str, PollConnection] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._endings: set[asyncio.Task[None]] = set()

    def knows(self, credential: Credential) -> bool:
        """Whether a connection polls with this credential already."""
        return credential.digest in self._by_credential

    async def find_or_open(
        self, scope: Mapping[str, Any], credential: Credential, last_poll: str | None, *, counted: bool
    ) -> PollConnection:
        """The connection of a poll; ``counted`` says that it was counted already.

        Raises Refused, PollError, ValkeyError, or what the database raises.
        """
        # Two first polls of a device must not open two connections, of which one would replace the other.
        turn = self._turns.setdefault(credential.digest, asyncio.Lock())
        async with turn:
            connection = self._by_credential.get(credential.digest)
            if connection is not None and connection.is_continued_by(last_poll):
                if credential.foreign:
                    raise Refused(CloseReason.ORIGIN_REFUSED)
                if await self._still_stands(connection):
                    return connection
            received = decode_mark(last_poll) if last_poll else None
            if not counted:
                await count_connection(scope, credential)
            identity = await admit(self._process, partial(find_device, credential, self._process.threads))
            if received is not None:
                self._check_not_replaced(identity.device_id, received)
            if connection is not None and connection.owes_confirmations:
                # What it was told of and has not confirmed is to come again, as for a socket that comes back.
                received = None
            return await self._open(identity, last_poll, received)

    async def _still_stands(self, connection: PollConnection) -> bool:
        """Whether a client's connection may go on; else it is closed, and the poll opens another.

        A client whose polls go to one gateway after another may be here again before its handoff is: then it is not
        its next poll that was replaced.
        """
        if connection.owes_confirmations:
            connection.close(CloseReason.NO_ANSWER)
            return False
        try:
            registered = await find_connection_id(connection.user_id, connection.device_id)
        except (ValkeyError, OSError) as error:
            logger.warning("poll of %s goes on unchecked: %s", connection.device_id, error)
            return True
        if registered > connection.connection_id:
            connection.close(CloseReason.MOVED)  # to the one that this poll opens
        return not connection.outgoing.closing

    def _check_not_replaced(self, device_id: str, received: PollMark) -> None:
        """Who has polled before does not take the device back from somebody who came later."""
        current = self._process.find(device_id)
        if current is None or current.outgoing.closing or current.connection_id < received.connection_id:
            return
        if not isinstance(current, PollConnection) or current.client != received.client:
            raise Refused(CloseReason.REPLACED)

    async def _open(
        self, identity: "DeviceIdentity", last_poll: str | None, received: PollMark | None
    ) -> PollConnection:
        process = self._process
        connection = PollConnection(process, identity, last_poll, self._end)
        try:
            registration = await process.open(connection)
        except BaseException:
            connection.close(CloseReason.RESTARTING)
            raise
        connection.send(
            server_frames.connected(
                user_id=identity.user_id,
                device_id=identity.device_id,
                server_id=process.server_id,
                now_ms=int(time.time() * 1000),
            )
        )
        connection.open(registration, received)
        if not connection.outgoing.closing:
            self._by_credential[identity.credential_hash] = connection
        return connection

    def _end(self, connection: PollConnection) -> None:
        """A connection has closed."""
        if self._by_credential.get(connection.credential_hash) is connection:
            del self._by_credential[connection.credential_hash]
        task = asyncio.get_running_loop().create_task(self._process.close(connection))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
