"""One connection: what it acknowledges, and what it does when pushes come faster than the client reads."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from apps.connections.registry import Registration
from apps.gateway import connection as connection_module
from apps.gateway.close_codes import CloseReason
from apps.gateway.connection import Connection
from apps.gateway.frame_queue import CROWDED_FRAMES
from apps.gateway.handlers import handle_frame
from apps.gateway.outgoing import Outgoing
from apps.protocol import server_frames


class World:
    """A connection with a socket that can be stopped, and a process of which only the drains matter."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[tuple[int, str, int]] = []
        silence = SimpleNamespace(
            expect_answer=lambda connection: None,
            answered=lambda connection: None,
            heartbeat=lambda connection: None,
        )
        drains = SimpleNamespace(ask=lambda connection, *request, gap: self.asked.append(request))
        identity = SimpleNamespace(user_id="usr-a", device_id="dev-a", credential_hash="x")
        heartbeats = SimpleNamespace(beat=lambda connection: None)
        self.told: list[str] = []
        batcher = SimpleNamespace(note_standing=lambda connection, client_key: self.told.append(client_key))
        self.process: Any = SimpleNamespace(silence=silence, drains=drains, heartbeats=heartbeats, batcher=batcher)
        self.connection = Connection(self.process, identity, Outgoing(self._send))  # type: ignore[arg-type]

    async def _send(self, event: dict[str, Any]) -> None:
        await self.open.wait()
        self.sent.append(event)

    def start(self, *, epoch: str = "e1", counter: int = 0) -> None:
        registration = Registration(
            connection_id=1,
            previous_server_id="",
            previous_connection_id=0,
            epoch=epoch,
            counter=counter,
            waits=False,
        )
        self.connection.start(registration)

    async def written(self) -> None:
        async with asyncio.timeout(5):
            while not self.connection.outgoing.empty:
                await asyncio.sleep(0)


async def test_receipts_are_acknowledged_at_the_second_heartbeat_after_they_were_written() -> None:
    world = World()
    world.start(counter=7)
    await world.written()
    world.connection.note_heartbeat()
    assert world.connection.acknowledged_position() == 0
    world.connection.note_heartbeat()
    assert world.connection.acknowledged_position() == 7


async def test_the_answer_to_a_heartbeat_keeps_no_receipts_back() -> None:
    world = World()
    world.start(counter=7)
    await world.written()
    for _ in range(2):
        handle_frame(world.process, world.connection, '{"action": "heartbeat"}')
        await world.written()
    assert world.connection.acknowledged_position() == 7


async def test_asking_again_without_a_heartbeat_acknowledges_nothing_more() -> None:
    world = World()
    world.start(counter=7)
    await world.written()
    world.connection.note_heartbeat()
    assert [world.connection.acknowledged_position() for _ in range(5)] == [0] * 5


async def test_what_comes_after_the_close_was_not_written_and_is_not_acknowledged() -> None:
    world = World()
    world.start(counter=7)
    await world.written()
    world.connection.close(CloseReason.REPLACED)
    world.connection.push("e1", 8, '{"action":"message_delivered"}')
    for _ in range(2):
        world.connection.note_heartbeat()
    assert world.connection.cursor.position == 7
    assert world.connection.acknowledged_position() <= 7


async def test_no_page_that_comes_after_the_close_was_written() -> None:
    world = World()
    registration = Registration(
        connection_id=1, previous_server_id="", previous_connection_id=0, epoch="e1", counter=2, waits=True
    )
    world.connection.start(registration)
    world.connection.close(CloseReason.REPLACED)
    world.connection.page(world.connection.cursor.generation, "e1", 0, 2, True, ["one", "two"])
    assert world.connection.cursor.position == 0


async def test_a_position_of_an_older_epoch_acknowledges_nothing_in_a_newer_one() -> None:
    world = World()
    world.start(counter=5_000)
    await world.written()
    world.connection.note_heartbeat()
    world.connection.note_heartbeat()
    world.connection.push("", 0, "")
    generation, _, _ = world.asked[-1]
    world.connection.page(generation, "e2", 0, 3, True, [])
    assert world.connection.cursor.position == 3
    assert world.connection.acknowledged_position() == 0


async def test_a_burst_of_pushes_turns_into_pages_instead_of_closing_the_connection() -> None:
    world = World()
    world.start()
    await world.written()
    for number in range(1, 5_000):
        world.connection.push("e1", number, str(number))
    assert not world.connection.outgoing.closing
    await world.written()
    generation, epoch, after = world.asked[-1]
    assert (epoch, after) == ("e1", CROWDED_FRAMES)
    world.connection.page(generation, epoch, after, 4_999, True, ["rest"])
    await world.written()
    assert [event["text"] for event in world.sent[1:]] == [*map(str, range(1, CROWDED_FRAMES + 1)), "rest"]


async def test_a_client_that_does_not_read_at_all_is_closed_with_1013(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "STALLED_SECONDS", 0.02)
    world = World()
    world.start()
    await world.written()
    world.open.clear()
    for number in range(1, 5_000):
        world.connection.push("e1", number, str(number))
    async with asyncio.timeout(5):
        while not world.connection.outgoing.closing:
            await asyncio.sleep(0.005)
    world.open.set()
    await world.written()
    assert world.sent[-1]["code"] == 1013


@pytest.mark.parametrize("reads", [True, False])
async def test_a_revoked_session_gets_nothing_more(reads: bool) -> None:
    from apps.gateway.close_codes import CloseReason

    world = World()
    world.start()
    await world.written()
    before = len(world.sent)
    if not reads:
        world.open.clear()
    for number in range(1, 100):
        world.connection.push("e1", number, str(number))
    world.connection.outgoing.close_at_once(CloseReason.REVOKED)
    world.open.set()
    await world.written()
    after = world.sent[before:]
    assert [event["type"] for event in after][-1] == "websocket.close"
    assert len(after) <= 2


async def test_what_a_relay_says_of_a_client_id_is_noted_when_it_is_written() -> None:
    world = World()
    world.start(counter=7)
    standing = [
        server_frames.message_received(message_id="msg-1", client_id=client_id, timestamp_ms=1, sequence=2)
        for client_id in (42, "42")
    ]
    world.connection.push("e1", 9, standing[1])
    assert world.told == []
    world.connection.push("e1", 8, standing[0])
    assert world.told == ["i42", "s42"]
