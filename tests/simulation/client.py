"""The tests' chat client over a simulated line: one device of one user."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Protocol

import orjson
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from tests.client.chat_client import ChatClient
from tests.client.history import Frame, SentMessage
from tests.client.options import Account, ClientOptions
from tests.simulation.closed import Closed
from tests.simulation.plan import Device
from tests.simulation.trace import Trace

OPTIONS = ClientOptions(first_retry=0.5, longest_retry=8.0, open_timeout=10.0, ack_timeout=10.0)


class Socket(Protocol):
    """A simulated connection, seen by the client."""

    async def send(self, frame: dict[str, Any]) -> None:
        """Write a frame. Raises Closed."""

    async def receive(self) -> dict[str, Any]:
        """The next frame. Raises Closed."""

    def close(self, code: int = 1000) -> None:
        """End it with a closing handshake."""

    def cut(self) -> None:
        """Break it: both ends hear nothing but that it is gone."""

    def abandon(self) -> None:
        """Forget it: the server is told nothing."""


class Connector(Protocol):
    """Where a device can connect."""

    async def connect(self, device: Device, gateway: int | None = None) -> Socket:
        """Open a connection. Raises OSError."""


class SimClient(ChatClient):
    """A chat client whose connections are simulated; the rest of it is the client of every other test."""

    def __init__(self, connector: Connector, device: Device, trace: Trace) -> None:
        account = Account(user_id=device.user_id, device_id=device.device_id, token=device.device_id)
        super().__init__("", account, OPTIONS)
        self.device = device
        self._client_ids = itertools.count(1)  # as every other device: the ids are unique per device only
        self.diverts: Callable[[Frame], bool] = lambda frame: False  # takes frames that are not the client's business
        self.trace = trace
        self.awake = asyncio.Event()
        self.awake.set()
        self._connector = connector
        self._line: SimLine | None = None

    async def _open_connection(self) -> "SimLine":
        async with asyncio.timeout(self._options.open_timeout):
            socket = await self._connector.connect(self.device)
        self._line = SimLine(socket, self)
        return self._line

    def cut(self, *, reset: bool = True) -> None:
        """Break the connection under way, if there is one."""
        if self._line is not None:
            self._line.cut()

    def abandon(self) -> None:
        """Forget the connection under way without a word to the server, and connect anew."""
        if self._line is not None:
            self._line.abandon()

    def fall_asleep(self) -> None:
        """Neither read nor write until `wake_up`; the connection stays."""
        self.awake.clear()

    def wake_up(self) -> None:
        """Go on as if nothing had been."""
        self.awake.set()

    def send_again(self, message: SentMessage) -> None:
        """Write a message once more, with the same client id, whether or not it has ✓."""
        self._outbox.add(message)
        self._wake.set()


class SimLine:
    """A simulated socket as the chat client knows a connection."""

    def __init__(self, socket: Socket, client: SimClient) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self._socket = socket
        self._client = client

    async def recv(self) -> bytes:
        """The next frame. Raises ConnectionClosed."""
        while True:
            try:
                frame = await self._socket.receive()
            except Closed as closed:
                raise self._end(closed) from None
            await self._client.awake.wait()
            self._note(f"gets {describe(frame)}")
            if not self._client.diverts(frame):
                return orjson.dumps(frame)

    async def send(self, text: str) -> None:
        """Write a frame. Raises ConnectionClosed."""
        await self._client.awake.wait()
        frame = orjson.loads(text)
        self._note(f"writes {describe(frame)}")
        try:
            await self._socket.send(frame)
        except Closed as closed:
            raise self._end(closed) from None

    async def close(self) -> None:
        """End it, unless it has ended."""
        if self.close_code is None:
            self._socket.close()
            self._end(Closed(1000, ""))

    def cut(self) -> None:
        """Break it."""
        self._socket.cut()

    def abandon(self) -> None:
        """Forget it without a word to the server."""
        self._socket.abandon()

    def _end(self, closed: Closed) -> ConnectionClosed:
        if self.close_code is None:
            self.close_code, self.close_reason = closed.code, closed.reason
            self._note(f"its connection ended: {closed.code} {closed.reason}".rstrip())
        return ConnectionClosedError(None, None)

    def _note(self, text: str) -> None:
        self._client.trace.note(self._client.device.device_id, text)


def describe(frame: dict[str, Any]) -> str:
    """A frame in a few words, for the trace."""
    action = frame.get("action", "?")
    told = [
        str(frame[name])
        for name in ("content", "message_id_by_client", "message_id", "message_ids", "sequence", "code")
        if name in frame
    ]
    return f"{action} {' '.join(told)}".rstrip()
