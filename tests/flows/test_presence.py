"""The chat on screen: its peer comes, goes, and writes."""

import asyncio

import httpx

from tests.client.people import AccountPool, Person
from tests.client.raw_socket import raw_socket
from tests.client.server import Server


async def test_who_has_a_chat_on_screen_is_told_when_its_peer_comes_and_goes(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    async with raw_socket(server.url, token=ann.token) as a:
        await a.send({"action": "open_chat", "user_id": bob.user_id})
        assert (await a.receive(action="presence", user_id=bob.user_id))["online"] is False
        async with raw_socket(server.url, token=bob.token) as b:
            frame = await a.receive(action="presence", user_id=bob.user_id)
            assert frame["online"]
            assert isinstance(frame["last_seen"], int)
            await b.send({"action": "typing", "receiver_id": ann.user_id, "state": "start"})
            assert (await a.receive(action="typing"))["sender_id"] == bob.user_id
        assert (await a.receive(within=70, action="presence", user_id=bob.user_id))["online"] is False


async def test_who_is_blocked_while_the_chat_is_on_screen_sees_somebody_who_left_and_never_comes_back(
    server: Server, accounts: AccountPool
) -> None:
    [ann] = accounts.take(1)
    bob = await asyncio.to_thread(Person.register, server)
    async with raw_socket(server.url, token=bob.account.token), raw_socket(server.url, token=ann.token) as a:
        await a.send({"action": "open_chat", "user_id": bob.user_id})
        await a.receive(action="presence", user_id=bob.user_id, online=True)
        await asyncio.to_thread(bob.block, ann.user_id)
        frame = await a.receive(within=10, action="presence", user_id=bob.user_id, online=False)
        assert frame["last_seen"] is None


async def test_the_contact_list_asks_for_all_at_once(server: Server, accounts: AccountPool) -> None:
    ann, bob, eve = accounts.take(3)
    async with raw_socket(server.url, token=bob.token) as b:
        await b.receive(action="connected")
        async with httpx.AsyncClient(base_url=server.base_url, headers={"Authorization": f"Token {ann.token}"}) as http:
            answer = await http.post("/api/user/status", json={"user_ids": [bob.user_id, eve.user_id]})
    assert [one["online"] for one in answer.json()["results"]] == [True, False]
