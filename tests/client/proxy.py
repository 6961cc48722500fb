"""A proxy between clients and a server that can cut, stall and delay what passes, and refuse WebSockets."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Collection
from enum import Enum, auto
from pathlib import Path

CHUNK = 65_536
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Address = int | Path
"""A TCP port of 127.0.0.1, or a unix socket."""


class Way(Enum):
    """A direction of what passes."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


class Proxy:
    """Forwards connections to one target; the faults apply to all of them at once."""

    def __init__(self, target: Address) -> None:
        self.port = 0
        self.delay = 0.0  # seconds that each chunk waits, each way
        self.jitter = 0.0  # up to so many seconds more, drawn for each chunk
        self.refuses_websockets = False  # answers 403 to a new connection that asks for an upgrade
        self._target = target
        self._flows = {way: asyncio.Event() for way in Way}
        self._listener: asyncio.Server | None = None
        self._sockets: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.resume()

    async def listen(self, at: Address | None = None) -> None:
        """Take connections at this address; at the former port, or at any free one, when none is given."""
        if self._listener is not None:
            raise RuntimeError("the proxy listens already")
        if isinstance(at, Path):
            self._listener = await asyncio.start_unix_server(self.accept, str(at))
        else:
            self._listener = await asyncio.start_server(self.accept, "127.0.0.1", self.port if at is None else at)
            self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections until `listen`; those that there are stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def stall(self, ways: Collection[Way] = tuple(Way)) -> None:
        """Forward nothing more this way, ends of connections neither, and keep all open: half-open to both ends."""
        for way in ways:
            self._flows[way].clear()

    def resume(self) -> None:
        """Forward again both ways, beginning with what waited."""
        for flow in self._flows.values():
            flow.set()

    def cut(self, *, reset: bool = True) -> int:
        """End every connection, by RST or (`reset` False) by FIN; gives how many sockets that were."""
        cut = list(self._sockets)
        for writer in cut:
            raw: socket.socket = writer.get_extra_info("socket")
            if reset and raw.family == socket.AF_INET and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return len(cut)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client connection in a task of its own."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End everything and wait until nothing of it is left."""
        self.refuse()
        self.cut(reset=False)
        self.resume()
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
            far_reader, far_writer = await self._open_target()
        except OSError:
            writer.transport.abort()
            self._sockets.discard(writer)
            return
        self._sockets.add(far_writer)
        far_writer.write(head)
        ways = [
            asyncio.create_task(self._forward(reader, far_writer, Way.TO_SERVER)),
            asyncio.create_task(self._forward(far_reader, writer, Way.TO_CLIENT)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()
            self._sockets.discard(end)

    async def _open_target(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection("127.0.0.1", self._target)

    @staticmethod
    async def _read_head(reader: asyncio.StreamReader) -> bytes:
        """The first request's head, or what came of it before the end. Browsers upgrade no used connection."""
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except OSError:
            return b""

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        flows = self._flows[way]
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.delay or self.jitter:
                    await asyncio.sleep(self.delay + random.uniform(0, self.jitter))
                await flows.wait()
                writer.write(chunk)
                await writer.drain()
        await flows.wait()


@contextlib.asynccontextmanager
async def running_proxy(target: Address) -> AsyncIterator[Proxy]:
    """Run a Proxy to a local port or unix socket; its own port is `proxy.port`."""
    proxy = Proxy(target)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
