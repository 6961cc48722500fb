"""Whoever is logged out, suspended or has a new password hears it within 2 s, and hears nothing else after that."""

import asyncio

import httpx
import pytest

from tests.client.chat_client import ChatClient
from tests.client.history import Close
from tests.client.people import AccountPool, Person
from tests.client.raw_socket import raw_socket
from tests.client.server import Server

PROMISED_SECONDS = 5 * 2.0  # two, and a busy machine
NEW_PASSWORD = "another battery staple horse"


async def test_a_logout_closes_the_sockets_of_that_device_only(server: Server) -> None:
    ann = Person.register(server)
    phone = ann.log_in()
    async with ChatClient(server.url, ann.account) as desk, ChatClient(server.url, phone) as other:
        closing = asyncio.create_task(other.wait_closed(PROMISED_SECONDS))
        await asyncio.to_thread(ann.log_out, phone)
        assert (await closing).code == 4403
        assert desk.is_online
        desk.send_frame({"action": "heartbeat"})
        await desk.wait_for_frame(action="heartbeat")
    async with raw_socket(server.url, token=phone.token) as dead:
        assert (await dead.receive_close())[0] in {4401, 4403}


async def test_a_new_password_closes_every_socket_of_the_user_on_every_gateway(server: Server) -> None:
    ann = Person.register(server)
    devices = [ann.account, *(ann.log_in() for _ in range(7))]
    clients = [ChatClient(server.url, device) for device in devices]
    for client in clients:
        await client.start()
    servers = {(await client.wait_for_frame(action="connected"))["server_id"] for client in clients}
    assert len(servers) == 2, "eight connections reach both gateway processes"
    closing = [asyncio.create_task(client.wait_closed(PROMISED_SECONDS)) for client in clients]
    renewed = await asyncio.to_thread(ann.change_password, ann.account, NEW_PASSWORD)
    closes: list[Close] = await asyncio.gather(*closing)
    assert {close.code for close in closes} == {4403}
    assert renewed.device_id == ann.account.device_id
    async with ChatClient(server.url, renewed) as desk:
        assert desk.is_online
    for device in devices:
        async with raw_socket(server.url, token=device.token) as dead:
            assert (await dead.receive_close())[0] in {4401, 4403}


async def test_a_suspended_user_is_closed_and_kept_out(server: Server, accounts: AccountPool) -> None:
    ann = Person.register(server)
    [bob] = accounts.take(1)
    async with ChatClient(server.url, ann.account) as a, ChatClient(server.url, bob) as b:
        closing = asyncio.create_task(a.wait_closed(PROMISED_SECONDS + 5))
        await asyncio.to_thread(server.manage, "suspend", ann.username)
        assert (await closing).code == 4403
        message = b.send(ann.user_id, "are you there?")
        await b.wait_for(lambda: bool(message.errors), "the refusal")
        assert message.errors[-1]["code"] == "unknown_receiver"
    async with raw_socket(server.url, token=ann.account.token) as refused:
        assert (await refused.receive_close())[0] == 4403


async def test_nothing_is_delivered_to_a_device_after_its_logout(server: Server, accounts: AccountPool) -> None:
    ann = Person.register(server)
    [bob] = accounts.take(1)
    async with ChatClient(server.url, ann.account) as a, ChatClient(server.url, bob) as b:
        closing = asyncio.create_task(a.wait_closed(PROMISED_SECONDS))
        await asyncio.to_thread(ann.log_out, ann.account)
        await closing
        message = b.send(ann.user_id, "too late for this device")
        await b.wait_for(lambda: message.is_acknowledged, "✓")
        async with ChatClient(server.url, ann.log_in()) as later:
            await b.wait_delivered()
            assert [shown.content for shown in later.history.shown.values()] == ["too late for this device"]
        assert not a.history.shown
        assert a.connection == 1


async def test_the_dead_token_opens_nothing_in_rest_either(server: Server) -> None:
    ann = Person.register(server)
    ann.log_out(ann.account)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        ann.get_ticket()


async def test_an_operator_closes_a_persons_sockets_and_their_sessions_go_on(
    server: Server, accounts: AccountPool
) -> None:
    [ann] = accounts.take(1)
    async with raw_socket(server.url, token=ann.token) as socket:
        await socket.receive(action="inbox_drained")
        await asyncio.to_thread(server.manage, "disconnect", ann.username)
        code, _ = await socket.receive_close(within=PROMISED_SECONDS)
    assert code == 4403
    async with raw_socket(server.url, token=ann.token) as again:
        await again.receive(action="inbox_drained")
