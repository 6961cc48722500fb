"""An asyncio chat client that follows the wire contract as an outsider would.

It keeps its outbox and its history over connections, confirms what it has stored, sends again what has no ✓ and comes
back after a cut, so that a test can kill anything and ask the history in the end.
"""

import asyncio
import contextlib
import itertools
import random
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.client.history import RETRYABLE_CODES, ClientId, Close, Frame, History, SentMessage
from tests.client.options import Account, ClientOptions
from tests.client.outbox import Outbox
from tests.client.outgoing import Outgoing

FINAL_CLOSE_CODES = frozenset({4401, 4403, 4409})
LINGER_ZERO = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN
LONGEST_WAIT = 3600.0


class Line(Protocol):
    """What the client needs of a connection: a WebSocket, or what stands for one."""

    @property
    def close_code(self) -> int | None:
        """The code of its end, None while there was none."""

    @property
    def close_reason(self) -> str | None:
        """What was said with the code."""

    async def recv(self) -> str | bytes:
        """The next frame. Raises ConnectionClosed."""

    async def send(self, text: str, /) -> None:
        """Write a frame. Raises ConnectionClosed."""

    async def close(self) -> None:
        """End it."""


class ChatClient:
    """One device of one user. Use as `async with ChatClient(url, account) as client`."""

    def __init__(self, url: str, account: Account, options: ClientOptions | None = None) -> None:
        self.account = account
        self.user_id = account.user_id
        self.history = History(account.user_id, account.device_id)
        self.connection = 0  # connections opened so far
        self.is_online = False  # `connected` has come on the present connection
        self.is_drained = False  # so has `inbox_drained`
        self._url = url
        self._options = options or ClientOptions()
        self._outbox = Outbox(self._options.ack_timeout)
        self._outgoing = Outgoing(self._outbox)
        self._client_ids = itertools.count(random.randrange(2**40))  # another run of the same device takes other ids
        self._wake = asyncio.Event()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._socket: Line | None = None
        self._runner: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Go online and wait until what waited has come. Raises AssertionError when that takes over a minute."""
        self.go_online()
        await self.wait_for(lambda: self.is_drained, "inbox_drained")

    def go_online(self) -> None:
        """Begin connecting, without waiting for it."""
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._keep_connected())
            self._runner.add_done_callback(self._fail_waiters)

    @property
    def has_ended(self) -> bool:
        """Whether it went online and will not come back by itself: it was told so, or a frame broke the contract."""
        return self._runner is not None and self._runner.done()

    @property
    def failure(self) -> BaseException | None:
        """What a frame that broke the contract raised, None where there was none."""
        runner = self._runner
        return runner.exception() if runner is not None and runner.done() and not runner.cancelled() else None

    async def stop(self, *, cut: bool = False) -> None:
        """Go offline: with a closing handshake, or by cutting the connection when `cut` is true."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        if cut:
            self.cut()
        runner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await runner

    def cut(self, *, reset: bool = True) -> None:
        """Drop the TCP connection without a closing handshake, by RST or (`reset` False) by FIN."""
        if not isinstance(self._socket, ClientConnection):
            return
        raw: socket.socket | None = self._socket.transport.get_extra_info("socket")
        if reset and raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._socket.transport.abort()

    def send(self, receiver_id: str, content: str, client_id: ClientId | None = None) -> SentMessage:
        """Submit a message; it is written as soon as the connection allows, and again until ✓.

        Raises ValueError for a client id that this client used before.
        """
        key = next(self._client_ids) if client_id is None else client_id
        if key in self.history.sent:
            raise ValueError(f"client id {key!r} was used before")
        message = SentMessage(client_id=key, receiver_id=receiver_id, content=content, submitted_at=time.monotonic())
        self.history.sent[key] = message
        self._outbox.add(message)
        self._wake.set()
        return message

    def send_frame(self, frame: Frame) -> None:
        """Write any frame as soon as the client is online; it is not repeated if the connection is lost."""
        self._outgoing.add(frame)
        self._wake.set()

    async def wait_for(self, condition: Callable[[], bool], what: str, within: float = 60) -> None:
        """Wait until `condition` holds; it is asked again after each frame and close.

        Raises AssertionError, naming `what` and the last frames, after `within` seconds.
        """
        if condition():
            return
        if self._runner is not None and self._runner.done():
            self._runner.result()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (condition, future)
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(within):
                await future
        except TimeoutError:
            raise AssertionError(
                f"{self.account.username or self.user_id} waited {within} s for {what}; "
                f"closes: {self.history.closes[-3:]}; last frames: {self.history.frames[-8:]}"
            ) from None
        finally:
            self._waiters.remove(waiter)

    async def wait_for_frame(self, within: float = 60, **fields: Any) -> Frame:
        """The first frame ever received that carries these fields, waiting for it if need be."""
        frames = self.history.frames

        def find() -> Frame | None:
            return next((f for f in frames if all(f.get(key) == value for key, value in fields.items())), None)

        await self.wait_for(lambda: find() is not None, f"a frame with {fields}", within)
        frame = find()
        assert frame is not None
        return frame

    async def wait_delivered(self, within: float = 60) -> None:
        """Wait until every message sent so far has ✓✓ or was refused."""
        await self.wait_for(lambda: not self.history.in_flight, "✓✓ of everything sent", within)

    async def wait_closed(self, within: float = 60) -> Close:
        """Wait for the end of the present connection (or take the last one if offline) and give its close."""
        ends = len(self.history.closes)
        if self._socket is not None:
            await self.wait_for(lambda: len(self.history.closes) > ends, "a close", within)
        return self.history.closes[-1]

    # --- One connection after another ---------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        retry = self._options.first_retry
        while True:
            served = await self._serve_one_connection()
            self._notify()
            if not self._options.reconnects or (served and self.history.closes[-1].code in FINAL_CLOSE_CODES):
                return
            retry = self._options.first_retry if served else min(2 * retry, self._options.longest_retry)
            await asyncio.sleep(retry * random.uniform(0.5, 1.0))

    async def _serve_one_connection(self) -> bool:
        """Connect, talk until the end, record the close. Returns whether there was a connection."""
        try:
            opened = await self._open_connection()
        except (OSError, TimeoutError, InvalidHandshake, EOFError):
            return False
        self.connection += 1
        self._socket = opened
        self._outgoing.expect_connected(time.monotonic() + self._options.connected_timeout)
        writer = asyncio.create_task(self._write(opened))
        writer.add_done_callback(self._fail_waiters)
        try:
            await self._read(opened)
        finally:
            writer.cancel()
            self.is_online = self.is_drained = False
            await opened.close()
            self._socket = None
            self._record_close(opened)
        return True

    async def _open_connection(self) -> Line:
        return await connect(
            self._url,
            ssl=self._options.tls,
            additional_headers={"Authorization": f"Token {self.account.token}"},
            open_timeout=self._options.open_timeout,
            close_timeout=1,
            compression=None,
            ping_interval=None,
            max_queue=None,
        )

    def _record_close(self, ended: Line) -> None:
        close = Close(
            at=time.monotonic(),
            connection=self.connection,
            code=ended.close_code or 1006,
            reason=ended.close_reason or "",
        )
        self.history.closes.append(close)

    def _notify(self) -> None:
        for condition, future in self._waiters:
            if not future.done() and condition():
                future.set_result(None)

    def _fail_waiters(self, ended: asyncio.Task[None]) -> None:
        """A frame that breaks the contract ends the client; whoever waits hears of it."""
        if ended.cancelled() or (error := ended.exception()) is None:
            return
        for _, future in self._waiters:
            if not future.done():
                future.set_exception(error)

    # --- Reading ------------------------------------------------------------------------------------------------

    async def _read(self, opened: Line) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame: Frame = orjson.loads(await opened.recv())
                self.history.record(frame, at=time.monotonic(), connection=self.connection)
                self._react(frame)
                self._notify()

    def _react(self, frame: Frame) -> None:
        match frame["action"]:
            case "connected":
                self.is_online = True
                interval = self._options.heartbeat_every or frame["heartbeat_interval"]
                self._outgoing.begin(interval, time.monotonic())
            case "inbox_drained":
                self.is_drained = True
            case "incoming_message" if self._options.confirms:
                self._outgoing.confirm(frame["message_id"])
            case "message_received" | "message_delivered" | "error" if "message_id_by_client" in frame:
                self._settle(frame)
            case "heartbeat":
                self._outgoing.heartbeat_answered()
        self._wake.set()

    def _settle(self, answer: Frame) -> None:
        message = self.history.sent.get(answer["message_id_by_client"])
        if message is None:
            return
        if answer["action"] == "error" and answer["code"] in RETRYABLE_CODES:
            self._outbox.postpone(message, time.monotonic() + answer["retry_after_ms"] / 1000)
        else:
            self._outbox.settle(message)

    # --- Writing ------------------------------------------------------------------------------------------------

    async def _write(self, opened: Line) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._wait_for_work()
                now = time.monotonic()
                if self._outgoing.is_unanswered(now):
                    self.cut()
                    return
                if not self.is_online:
                    continue
                for frame in self._outgoing.take(now, self.connection):
                    await opened.send(orjson.dumps(frame).decode())

    async def _wait_for_work(self) -> None:
        """Until something was queued, or the next heartbeat, retry or answer is due."""
        rest = self._outgoing.next_at(is_online=self.is_online) - time.monotonic()
        with contextlib.suppress(TimeoutError):
            # Not wait_for: before Python 3.12 it may swallow a cancellation, and a second writer would live on.
            async with asyncio.timeout(min(max(0.0, rest), LONGEST_WAIT)):
                await self._wake.wait()
        self._wake.clear()
