"""Connections between people's devices and gateways: frames in flight, close codes, and lines that go dead silently."""

import asyncio
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import orjson

from tests.simulation.closed import Closed
from tests.simulation.plan import Device
from tests.simulation.processes import WORLD, Process
from tests.simulation.trace import Trace

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Event, Receive, Send], Coroutine[Any, Any, None]]

LATENCY = 0.002
UNREAD_FRAMES = 64
"""What the kernels keep for a client that does not read."""

SILENT_SECONDS = 60.0
"""After so long without a word from the other side's kernel a connection is cut."""

CLOSE_SECONDS = 20.0


class Network:
    """All lines to one gateway. ``is_cut``: refuses and breaks; ``is_silent``: nothing passes, and nobody is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_cut = False
        self.is_silent = False
        self._changed = asyncio.Event()
        self._lines: dict[Line, None] = {}

    def add(self, line: "Line") -> None:
        """One more."""
        self._lines[line] = None

    def remove(self, line: "Line") -> None:
        """One less."""
        self._lines.pop(line, None)

    def cut(self) -> None:
        """Break everything."""
        for line in list(self._lines):
            line.break_off()

    def speak(self) -> None:
        """What was held back passes."""
        self.is_silent = False
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for line in list(self._lines):
            line.flow()

    async def wait_speaking(self) -> None:
        """While it is silent."""
        while self.is_silent:
            await self._changed.wait()


class Way:
    """One direction of a line: what is put comes out in order, a moment later, unless the network is silent."""

    def __init__(self, network: Network) -> None:
        self.arrived: deque[Any] = deque()
        self._network = network
        self._flying: deque[Any] = deque()
        self._news = asyncio.Event()

    def put(self, thing: Any) -> None:
        """Send something."""
        self._flying.append(thing)
        asyncio.get_running_loop().call_later(LATENCY, self.flow_one, context=WORLD)

    def flow_one(self) -> None:
        """The first in flight arrives."""
        if self._flying and not self._network.is_silent:
            self.arrive(self._flying.popleft())

    def flow(self) -> None:
        """All in flight arrive."""
        while self._flying:
            self.flow_one()

    def arrive(self, thing: Any) -> None:
        """It is there now, before all in flight."""
        self.arrived.append(thing)
        self._news.set()

    async def get(self) -> Any:
        """The next that has arrived."""
        while not self.arrived:
            self._news.clear()
            await self._news.wait()
        return self.arrived.popleft()

    @property
    def unread(self) -> int:
        """How much has not been taken."""
        return len(self.arrived) + len(self._flying)


class Line:
    """One connection. The gateway's side is ASGI, the device's side is ``SimSocket``."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.up, self.down = Way(network), Way(network)
        self.accepted = asyncio.Event()
        self.is_abandoned = False
        self.is_over = False  # for the gateway
        self._has_room = asyncio.Event()
        self._silence: asyncio.TimerHandle | None = None
        network.add(self)

    # -- the gateway's side ---------------------------------------------------------------------------------------

    async def receive(self) -> Event:
        """ASGI's receive."""
        event: Event = await self.up.get()
        if event["type"] == "websocket.disconnect":
            self.is_over = True
            self.network.remove(self)
            self._has_room.set()
        return event

    async def send(self, event: Event) -> None:
        """ASGI's send; it waits for a client that does not read. Raises OSError when the client is gone."""
        if event["type"] == "websocket.accept":
            self.accepted.set()
            return
        while self.down.unread >= UNREAD_FRAMES and not self.is_over:
            self._has_room.clear()
            await self._has_room.wait()
        if self.is_over:
            raise ConnectionResetError("the client is gone")
        if self._silence is None and (self.is_abandoned or self.network.is_silent):
            self._silence = asyncio.get_running_loop().call_later(SILENT_SECONDS, self._give_up, context=WORLD)
        if event["type"] == "websocket.close":
            self.down.put(Closed(event["code"], event.get("reason") or ""))
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.hang_up, context=WORLD)
        else:
            self.down.put(event["text"])

    def _give_up(self) -> None:
        """The kernel cuts a connection whose other side says nothing."""
        self._silence = None
        if self.is_abandoned or self.network.is_silent:
            self.hang_up()

    def hang_up(self) -> None:
        """The gateway hears that the connection is gone."""
        if not self.is_over:
            self.up.arrive({"type": "websocket.disconnect", "code": 1006})

    # -- both sides -----------------------------------------------------------------------------------------------

    def break_off(self) -> None:
        """Both sides hear of its end at once."""
        self.hang_up()
        self.down.arrive(Closed(1006))
        self.accepted.set()

    def die(self) -> None:
        """The gateway's process is no more: its kernel says so."""
        self.is_over = True
        self.network.remove(self)
        self.down.put(Closed(1006))
        self.accepted.set()

    def flow(self) -> None:
        """The network speaks again."""
        self.up.flow()
        self.down.flow()

    def note_read(self) -> None:
        """The device took a frame."""
        if self.down.unread < UNREAD_FRAMES:
            self._has_room.set()


class SimSocket:
    """The device's side of a line."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._closed: Closed | None = None
        self._end = asyncio.Event()

    async def send(self, frame: Event) -> None:
        """Write a frame. Raises Closed."""
        if self._closed is not None:
            raise self._closed
        self._line.up.put({"type": "websocket.receive", "text": orjson.dumps(frame).decode()})

    async def receive(self) -> Event:
        """The next frame. Raises Closed."""
        if self._closed is not None:
            raise self._closed
        found = await self._line.down.get()
        if isinstance(found, Closed):
            if self._closed is None:
                self._closed = found
                self._line.up.put({"type": "websocket.disconnect", "code": found.code})
            raise self._closed
        self._line.note_read()
        frame: Event = orjson.loads(found)
        return frame

    def close(self, code: int = 1000) -> None:
        """End it with a closing handshake."""
        self._finish(Closed(code))
        self._line.up.put({"type": "websocket.disconnect", "code": code})

    def cut(self) -> None:
        """Break it: both ends hear nothing but that it is gone."""
        self._finish(Closed(1006))
        self._line.up.put({"type": "websocket.disconnect", "code": 1006})

    def abandon(self) -> None:
        """Forget it: the server is told nothing."""
        self._line.is_abandoned = True
        self._finish(Closed(1006))

    def _finish(self, closed: Closed) -> None:
        if self._closed is None:
            self._closed = closed
            self._line.down.arrive(closed)


class Listener:
    """Where one gateway takes connections. ``process`` is None while nobody listens."""

    def __init__(self, network: Network, trace: Trace) -> None:
        self.network = network
        self.process: Process | None = None
        self.application: Application | None = None
        self._trace = trace

    def open(self, process: Process, application: Application) -> None:
        """A process listens from now on."""
        self.process, self.application = process, application

    def close(self) -> None:
        """Nobody does any more."""
        self.process = self.application = None

    async def connect(self, device: Device) -> SimSocket:
        """A connection of a device, when the gateway has accepted it. Raises OSError."""
        await self.network.wait_speaking()
        await asyncio.sleep(LATENCY)
        process, application = self.process, self.application
        if process is None or application is None or process.is_dead or self.network.is_cut:
            raise ConnectionRefusedError(f"nobody listens at {self.network.name}")
        line = Line(self.network)
        process.on_death(line.die)
        scope = {
            "type": "websocket",
            "path": "/ws/chat/",
            "headers": [(b"authorization", b"Token " + device.device_id.encode())],
            "query_string": b"",
            "client": ("203.0.113.1", 40_000),
        }
        line.up.arrive({"type": "websocket.connect"})
        process.start(self._serve(application, scope, line))
        try:
            await line.accepted.wait()
        except asyncio.CancelledError:
            line.up.put({"type": "websocket.disconnect", "code": 1006})
            raise
        return SimSocket(line)

    async def _serve(self, application: Application, scope: Event, line: Line) -> None:
        try:
            await application(scope, line.receive, line.send)
        finally:
            if not line.is_over:
                line.is_over = True
                self.network.remove(line)
                line.down.put(Closed(1006))


def choose_gateway(device: Device, attempt: int, count: int) -> int:
    """The load balancer: by user, and another one at the next try."""
    return (zlib.crc32(device.user_id.encode()) + attempt) % count
