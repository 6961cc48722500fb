"""A WebSocket connection that costs as little as Python allows, so that the load does not crowd out the server.

It speaks just enough of RFC 6455 for a server that never fragments and never compresses. The masking key is zero, which
the RFC allows on the wire and which spares the XOR; a browser must not do that, a load generator may.
"""

import asyncio
import base64
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, cast

FIN_TEXT = 0x81
OPCODE_TEXT, OPCODE_CLOSE, OPCODE_PING = 0x1, 0x8, 0x9
FIN_PONG = 0x8A
MASKED = 0x80
ZERO_KEY = b"\0\0\0\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a site listens; with `tls` over TLS."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class LoadConnection(asyncio.Protocol):
    """One client connection; `on_frames` gets the text frames of each chunk that arrives."""

    def __init__(self, on_frames: Callable[["LoadConnection", list[bytes]], None]) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_closing = False
        self._on_frames = on_frames
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = b""
        self._pending: list[bytes] = []
        self._is_upgraded = False

    @classmethod
    async def open(
        cls, address: Address, token: str, on_frames: Callable[["LoadConnection", list[bytes]], None]
    ) -> Self:
        """Connect and upgrade. Raises ConnectionError when the server refuses, OSError when there is none."""
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: cls(on_frames), address.host, address.port, ssl=address.tls
        )
        connection._request_upgrade(address, token)
        await connection.opened
        return connection

    def send_text(self, payload: bytes) -> None:
        """Queue a text frame; all that is queued in one turn of the event loop is one write."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(encode_frame(FIN_TEXT, payload))

    def close(self) -> None:
        """End the connection."""
        self.is_closing = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio calls this)."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one without saying so

    def connection_lost(self, exc: Exception | None) -> None:
        """An end that nobody asked for fails the opening, or the run (asyncio calls this)."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"the server ended the connection: {exc}"))
        elif not self.is_closing:
            raise ConnectionError(f"the server ended a connection under load: {exc}")

    def data_received(self, data: bytes) -> None:
        """Cut what has come into frames (asyncio calls this)."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self._is_upgraded:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            self._finish_upgrade(head)
            self._buffer = rest
        texts, self._buffer = self._take_texts(self._buffer)
        if texts:
            self._on_frames(self, texts)

    def _request_upgrade(self, address: Address, token: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /ws/chat/ HTTP/1.1",
            f"Host: {address.host}:{address.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Authorization: Token {token}",
        ]
        if self._transport is None:
            raise ConnectionError("the connection ended before it could be used")
        self._transport.write("\r\n".join([*lines, "", ""]).encode())

    def _finish_upgrade(self, head: bytes) -> None:
        self._is_upgraded = True
        if head.startswith(b"HTTP/1.1 101"):
            self.opened.set_result(None)
        else:
            self.is_closing = True
            self.opened.set_exception(ConnectionError(head.split(b"\r\n", 1)[0].decode()))

    def _take_texts(self, buffer: bytes) -> tuple[list[bytes], bytes]:
        """The text frames in `buffer` and the rest; pings are answered, a close ends the run."""
        texts: list[bytes] = []
        position, end = 0, len(buffer)
        while position + 2 <= end:
            length = buffer[position + 1]
            start = position + 2
            if length == 126:
                start += 2
                length = int.from_bytes(buffer[position + 2 : start], "big")
            elif length == 127:
                start += 8
                length = int.from_bytes(buffer[position + 2 : start], "big")
            if start + length > end:
                break
            self._take_frame(buffer[position] & 0x0F, buffer[start : start + length], texts)
            position = start + length
        return texts, buffer[position:]

    def _take_frame(self, opcode: int, payload: bytes, texts: list[bytes]) -> None:
        if opcode == OPCODE_TEXT:
            texts.append(payload)
        elif opcode == OPCODE_CLOSE and not self.is_closing:
            raise ConnectionError(f"the server closed with code {int.from_bytes(payload[:2], 'big')}")
        elif opcode == OPCODE_PING:
            self._pending.append(encode_frame(FIN_PONG, payload))
            self._flush()

    def _flush(self) -> None:
        frames, self._pending = self._pending, []
        if self._transport is not None and frames and not self.is_closing:
            self._transport.write(b"".join(frames))


def encode_frame(first_byte: int, payload: bytes) -> bytes:
    """A masked client frame of up to 64 KiB."""
    size = len(payload)
    if size < 126:
        return bytes((first_byte, MASKED | size)) + ZERO_KEY + payload
    return bytes((first_byte, MASKED | 126)) + size.to_bytes(2, "big") + ZERO_KEY + payload
