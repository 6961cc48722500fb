"""A bare connection for tests that break the contract on purpose: it does nothing by itself."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.client.history import Frame
from tests.client.options import credential_headers


class RawSocket:
    """One WebSocket connection, frame by frame."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, frame: Frame) -> None:
        """Write a frame as JSON text."""
        await self._connection.send(orjson.dumps(frame).decode())

    async def send_text(self, text: str | bytes) -> None:
        """Write exactly this: str as a text frame, bytes as a binary one."""
        await self._connection.send(text)

    async def send_text_bytes(self, payload: bytes) -> None:
        """Write these bytes as a text frame, be they UTF-8 or not."""
        await self._connection.send(payload, text=True)

    async def receive(self, within: float = 60, **fields: Any) -> Frame:
        """The next frame that carries these fields; others before it are dropped.

        Raises AssertionError when the connection ends or `within` seconds pass before it.
        """
        seen: list[Frame] = []
        try:
            async with asyncio.timeout(within):
                while True:
                    frame: Frame = orjson.loads(await self._connection.recv())
                    if all(frame.get(name) == value for name, value in fields.items()):
                        return frame
                    seen.append(frame)
        except (TimeoutError, ConnectionClosed) as error:
            raise AssertionError(f"waited for {fields}, got {error!r} after {seen[-5:]}") from error

    async def receive_close(self, within: float = 60) -> tuple[int, list[Frame]]:
        """Read to the end; gives the close code (1006 without a close frame) and the frames before it."""
        frames: list[Frame] = []
        async with asyncio.timeout(within):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    frames.append(orjson.loads(await self._connection.recv()))
        return self._connection.close_code or 1006, frames


@contextlib.asynccontextmanager
async def raw_socket(
    url: str,
    *,
    token: str | None = None,
    session: str | None = None,
    origin: str | None = None,
    receive_buffer: int | None = None,
    forwarded_for: str | None = None,
) -> AsyncIterator[RawSocket]:
    """Open a connection with these credentials; a small `receive_buffer` (bytes) soon makes a slow reader.

    `forwarded_for` is the address for which this speaks to a server that takes it for a proxy.
    """
    headers = credential_headers(token=token, session=session, origin=origin)
    if forwarded_for is not None:
        headers["X-Forwarded-For"] = forwarded_for
    connecting = connect(
        url,
        additional_headers=headers,
        sock=None if receive_buffer is None else _narrow_socket(url, receive_buffer),
        compression=None,
        ping_interval=None,
        close_timeout=1,
        max_queue=1 if receive_buffer is not None else None,
        max_size=None,
        open_timeout=10,
    )
    async with connecting as connection:
        yield RawSocket(connection)


def _narrow_socket(url: str, receive_buffer: int) -> socket.socket:
    """A connected TCP socket that takes in no more than about `receive_buffer` bytes unread."""
    host, _, port = url.split("/")[2].partition(":")
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    narrow.connect((host, int(port)))
    narrow.setblocking(False)
    return narrow
