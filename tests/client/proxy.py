"""A TCP proxy between a client and the server that can cut, stall and delay what passes, and refuse WebSockets."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

CHUNK = 65_536
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Forwards 127.0.0.1:`port` to one target; the faults apply to all connections at once."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.delay = 0.0  # seconds that each chunk waits, each way
        self.refuses_websockets = False  # answers 403 to a new connection that asks for an upgrade
        self._target_port = target_port
        self._flows = asyncio.Event()
        self._flows.set()
        self._sockets: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def stall(self) -> None:
        """Forward nothing more, and keep every connection open: half-open to both ends."""
        self._flows.clear()

    def resume(self) -> None:
        """Forward again, beginning with what waited."""
        self._flows.set()

    def cut(self, *, reset: bool = True) -> int:
        """End every connection, by RST or (`reset` False) by FIN; gives how many sockets that were."""
        cut = list(self._sockets)
        for writer in cut:
            raw: socket.socket = writer.get_extra_info("socket")
            if reset and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return len(cut)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client connection in a task of its own."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End every connection and wait until nothing of them is left."""
        self.cut(reset=False)
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sockets.add(writer)
        head = await self._read_head(reader) if self.refuses_websockets else b""
        if b"\r\nupgrade: websocket" in head.lower():
            writer.write(REFUSAL)
            writer.close()
            self._sockets.discard(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            self._sockets.discard(writer)
            return
        self._sockets.add(far_writer)
        far_writer.write(head)
        ways = [
            asyncio.create_task(self._forward(reader, far_writer)),
            asyncio.create_task(self._forward(far_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()
            self._sockets.discard(end)

    @staticmethod
    async def _read_head(reader: asyncio.StreamReader) -> bytes:
        """The first request's head, or what came of it before the end. Browsers upgrade no used connection."""
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except OSError:
            return b""

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()


@contextlib.asynccontextmanager
async def running_proxy(target_port: int) -> AsyncIterator[Proxy]:
    """Run a Proxy to a local port; its own port is `proxy.port`."""
    proxy = Proxy(target_port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
