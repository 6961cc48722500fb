"""A frame that is sent again makes nothing new, on whatever connection, whoever died in between."""

import asyncio

from tests.client.chat_client import ChatClient
from tests.client.history import Frame
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.processes import Role
from tests.client.raw_socket import RawSocket, raw_socket
from tests.client.server import Server

SURELY_WRITTEN_SECONDS = 0.5  # nothing outside tells when the append lies in the log's socket; the count proves it


def build_frame(receiver: Account, content: str, client_id: int | str = 1) -> Frame:
    return {
        "action": "send_message",
        "receiver_id": receiver.user_id,
        "content": content,
        "message_id_by_client": client_id,
        "timestamp": 1,
    }


async def send_and_get_tick(socket: RawSocket, frame: Frame) -> Frame:
    await socket.send(frame)
    return await socket.receive(action="message_received", message_id_by_client=frame["message_id_by_client"])


async def count_arrivals(server: Server, receiver: Account, least: int) -> list[str]:
    """What the receiver shows after a drain, once at least `least` messages are there and a later one has come."""
    async with ChatClient(server.url, receiver) as client:
        await client.wait_for(lambda: len(client.history.shown) >= least, f"{least} messages")
        return [shown.content for shown in client.history.shown.values()]


async def test_a_repeat_on_the_same_connection_gets_the_same_id(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with raw_socket(server.url, token=ann.token) as a:
        frame = build_frame(bob, "once")
        first = await send_and_get_tick(a, frame)
        again = await send_and_get_tick(a, {**frame, "timestamp": 2})
        await send_and_get_tick(a, build_frame(bob, "last", client_id=2))
    assert (again["message_id"], again["sequence"]) == (first["message_id"], first["sequence"])
    assert await count_arrivals(server, bob, 2) == ["once", "last"]


async def test_a_repeat_on_a_new_connection_gets_the_same_id_and_the_second_tick(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    frame = build_frame(bob, "once", client_id="a string id")
    async with raw_socket(server.url, token=ann.token) as a:
        first = await send_and_get_tick(a, frame)
    assert await count_arrivals(server, bob, 1) == ["once"]
    async with raw_socket(server.url, token=ann.token) as a:
        again = await send_and_get_tick(a, frame)
        delivered = await a.receive(action="message_delivered", message_id_by_client="a string id")
    assert again["message_id"] == first["message_id"] == delivered["message_id"]


async def test_twenty_repeats_in_one_write_are_one_message(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with raw_socket(server.url, token=ann.token) as a:
        for _ in range(20):
            await a.send(build_frame(bob, "once"))
        await send_and_get_tick(a, build_frame(bob, "last", client_id=2))
    assert await count_arrivals(server, bob, 2) == ["once", "last"]


async def test_a_number_and_the_same_digits_as_text_are_two_ids(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with raw_socket(server.url, token=ann.token) as a:
        number = await send_and_get_tick(a, build_frame(bob, "number", client_id=42))
        text = await send_and_get_tick(a, build_frame(bob, "text", client_id="42"))
    assert number["message_id"] != text["message_id"]


async def test_the_same_id_with_other_content_is_a_conflict(server: Server, accounts: AccountPool) -> None:
    ann, bob, carl = accounts.take(3)
    async with raw_socket(server.url, token=ann.token) as a:
        await send_and_get_tick(a, build_frame(bob, "first"))
        for other in (build_frame(bob, "second"), build_frame(carl, "first")):
            await a.send(other)
            error = await a.receive(action="error")
            assert (error["code"], error["message_id_by_client"]) == ("conflict", 1)


async def test_a_gateway_killed_between_append_and_tick_makes_one_message_of_the_retry(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    """The paused log executes the append that lies in its socket after the gateway that wrote it is dead."""
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        a.send(bob.user_id, "before")
        await a.wait_delivered()
        appended = server.count_log_entries()
        with server.processes.paused(Role.LOG):
            message = a.send(bob.user_id, "between")
            await asyncio.sleep(SURELY_WRITTEN_SECONDS)
            gateways = server.processes.kill(Role.GATEWAY)
        assert server.count_log_entries() == appended + 1
        await a.wait_for(lambda: message.delivered_at is not None, "✓✓ of the retry", within=60)
        a.send(bob.user_id, "after")
        await a.wait_delivered(within=60)
        assert [shown.content for shown in b.history.shown.values()] == ["before", "between", "after"]
        assert len(message.attempts) == 2
        assert {tick.message_id for tick in message.acknowledgements} == {message.delivered_id}
    server.processes.wait_for_new(Role.GATEWAY, gateways)
