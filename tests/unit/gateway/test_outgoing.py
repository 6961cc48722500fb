"""What is on its way to a client: in order, bounded, and nothing after a close."""

import asyncio
from typing import Any

from apps.gateway import frame_queue
from apps.gateway.close_codes import CloseReason
from apps.gateway.outgoing import Outgoing


class Socket:
    """A socket that can be made to wait."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.written = 0

    async def send(self, event: dict[str, Any]) -> None:
        await self.open.wait()
        self.sent.append(event)

    def on_written(self) -> None:
        self.written += 1

    def texts(self) -> list[str]:
        return [event["text"] for event in self.sent if event["type"] == "websocket.send"]

    def closes(self) -> list[int]:
        return [event["code"] for event in self.sent if event["type"] == "websocket.close"]


async def settle(outgoing: Outgoing) -> None:
    async with asyncio.timeout(5):
        while not outgoing.empty:
            await asyncio.sleep(0)


async def test_frames_are_written_in_order_and_the_end_is_told() -> None:
    socket = Socket()
    outgoing = Outgoing(socket.send)
    outgoing.on_written = socket.on_written
    for number in range(10):
        outgoing.put(str(number))
    await settle(outgoing)
    assert socket.texts() == [str(number) for number in range(10)]
    assert socket.written == 1


async def test_a_client_that_does_not_read_is_closed_with_1013_and_gets_nothing_more(monkeypatch: Any) -> None:
    monkeypatch.setattr(frame_queue, "MAX_FRAMES", 5)
    socket = Socket()
    outgoing = Outgoing(socket.send)
    outgoing.on_written = socket.on_written
    socket.open.clear()
    for number in range(20):
        outgoing.put(str(number))
        await asyncio.sleep(0)
    assert outgoing.closing
    socket.open.set()
    await settle(outgoing)
    assert socket.closes() == [CloseReason.READS_TOO_SLOWLY.code]
    assert len(socket.texts()) <= 2


async def test_the_bound_counts_bytes_too(monkeypatch: Any) -> None:
    monkeypatch.setattr(frame_queue, "MAX_BYTES", 100)
    socket = Socket()
    outgoing = Outgoing(socket.send)
    outgoing.on_written = socket.on_written
    for _ in range(5):
        outgoing.put("x" * 60)
    await settle(outgoing)
    assert socket.closes() == [1013]


async def test_a_close_comes_after_what_is_queued_and_only_once() -> None:
    socket = Socket()
    outgoing = Outgoing(socket.send)
    outgoing.on_written = socket.on_written
    outgoing.put("last words")
    outgoing.close(CloseReason.REPLACED)
    outgoing.close(CloseReason.SILENT)
    outgoing.put("too late")
    await settle(outgoing)
    assert [event["type"] for event in socket.sent] == ["websocket.send", "websocket.close"]
    assert socket.closes() == [4409]


async def test_a_client_that_is_gone_ends_the_writing() -> None:
    async def broken(event: dict[str, Any]) -> None:
        raise ConnectionResetError

    outgoing = Outgoing(broken)
    outgoing.put("x")
    await settle(outgoing)
    assert outgoing.closing


async def test_ending_while_a_frame_is_stuck_does_not_wait_for_the_client() -> None:
    socket = Socket()
    socket.open.clear()
    outgoing = Outgoing(socket.send)
    outgoing.on_written = socket.on_written
    outgoing.put("stuck")
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await outgoing.end()
    assert socket.sent == []
