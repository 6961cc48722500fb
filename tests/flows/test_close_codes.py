"""Every close code of the parts that are built, provoked from outside."""

import asyncio
import signal

import pytest

from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import AccountPool, Person
from tests.client.processes import Role, send_signal, wait_until
from tests.client.raw_socket import raw_socket
from tests.client.server import Server, running_server

SLOW_READER_BUFFER = 4096
BIG_TEXT = "👋" * 1000  # 4 KB on the wire
PATIENCE = 240.0  # for three thousand of them


async def test_a_binary_frame_is_1003(server: Server, accounts: AccountPool) -> None:
    [ann] = accounts.take(1)
    async with raw_socket(server.url, token=ann.token) as a:
        await a.send_text(b'{"action":"heartbeat"}')
        assert (await a.receive_close())[0] == 1003


async def test_twenty_broken_frames_in_a_minute_are_1008(server: Server, accounts: AccountPool) -> None:
    [ann] = accounts.take(1)
    async with raw_socket(server.url, token=ann.token) as a:
        for _ in range(20):
            await a.send_text("{")
        code, frames = await a.receive_close()
        assert code == 1008
        assert 19 <= sum(frame["action"] == "error" for frame in frames) <= 20


async def test_a_frame_above_64_kib_is_1009(server: Server, accounts: AccountPool) -> None:
    [ann] = accounts.take(1)
    async with raw_socket(server.url, token=ann.token) as a:
        await a.send({"action": "heartbeat", "padding": "x" * 65_536})
        assert (await a.receive_close())[0] == 1009


async def test_no_and_wrong_credentials_are_4401(server: Server) -> None:
    for token in (None, "wrong", "ü"):
        async with raw_socket(server.url, token=token) as nobody:
            code, frames = await nobody.receive_close()
            assert (code, frames) == (4401, [])
    async with raw_socket(server.url, session="wrong", origin=server.base_url) as nobody:
        assert (await nobody.receive_close())[0] == 4401


async def test_a_cookie_needs_an_origin_of_ours_else_4403(server: Server) -> None:
    session = Person.register(server).open_browser_session()
    for origin in (None, "null", "http://evil.example", f"http://127.0.0.1.evil.example:{server.port}"):
        async with raw_socket(server.url, session=session, origin=origin) as foreign:
            code, frames = await foreign.receive_close()
            assert (code, frames) == (4403, []), origin
    async with raw_socket(server.url, session=session, origin=server.base_url) as ours:
        await ours.receive(action="connected")


async def test_a_ticket_opens_one_socket_and_no_second(server: Server) -> None:
    person = Person.register(server)
    url = f"{server.url}?ticket={person.get_ticket()}"
    async with raw_socket(url) as first:
        connected = await first.receive(action="connected")
        assert connected["device_id"] == person.account.device_id
    async with raw_socket(url) as second:
        assert (await second.receive_close())[0] == 4401


async def test_a_newer_connection_of_the_device_closes_the_older_with_4409(
    server: Server, accounts: AccountPool
) -> None:
    [ann] = accounts.take(1)
    for _ in range(4):  # both gateway processes get older and newer ones
        async with ChatClient(server.url, ann) as older, ChatClient(server.url, ann) as newer:
            assert (await older.wait_closed(5)).code == 4409
            assert newer.is_online


async def test_a_gateway_that_is_told_to_end_closes_with_1012_and_the_client_returns(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob):
        a.send(bob.user_id, "before")
        await a.wait_delivered()
        gateways = server.processes.pids(Role.GATEWAY)
        send_signal(gateways, signal.SIGTERM)
        assert (await a.wait_closed(15)).code == 1012
        a.send(bob.user_id, "after")
        await a.wait_delivered(within=60)
    server.processes.wait_for_new(Role.GATEWAY, gateways)


@pytest.mark.timeout(600)
async def test_a_reader_that_is_too_slow_is_1013_and_its_inbox_keeps_all(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(server.url, ann) as a:
        async with raw_socket(server.url, token=bob.token, receive_buffer=SLOW_READER_BUFFER) as slow:
            await slow.receive(action="inbox_drained")
            for number in range(3000):
                a.send(bob.user_id, f"{number} {BIG_TEXT}"[:1000])
            await a.wait_for(
                lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓", within=PATIENCE
            )
            given_up = f"{bob.device_id} reads too slowly"
            await asyncio.to_thread(wait_until, lambda: given_up in server.output, "the server to give up", PATIENCE)
            code, _ = await slow.receive_close(within=PATIENCE)
            assert code == 1013
        async with ChatClient(server.url, bob) as b:
            await a.wait_delivered(within=PATIENCE)
            assert [int(shown.content.split()[0]) for shown in b.history.shown.values()] == list(range(3000))


async def connect_often(server: Server, account: Account, times: int) -> list[int]:
    """What became of each connection: its close code, 0 where it stood."""
    codes = []
    for _ in range(times):
        async with raw_socket(server.url, token=account.token) as socket:
            closing = asyncio.create_task(socket.receive_close(within=0.3))
            await asyncio.wait([closing])
            codes.append(closing.result()[0] if closing.exception() is None else 0)
    return codes


async def test_too_many_connections_from_one_address_are_4429(strict_server: Server) -> None:
    [ann] = strict_server.add_users(1)
    assert set(await connect_often(strict_server, ann, 20)) == {0, 4429}


async def test_too_many_connections_of_one_user_are_4429_and_others_come_in() -> None:
    with running_server(CONNECTIONS_PER_MINUTE_PER_USER=4) as server:
        ann, bob = server.add_users(2)
        codes = await connect_often(server, ann, 10)
        assert codes[:4] == [0] * 4
        assert 4429 in codes
        assert await connect_often(server, bob, 2) == [0, 0]
