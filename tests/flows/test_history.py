"""History as its users meet it: kept from the switch on, for the side that keeps it, and gone when it is off."""

import asyncio
from typing import Any

import httpx

from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.server import Server


def rest(server: Server, account: Account) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, headers={"Authorization": f"Token {account.token}"})


def keep_history(server: Server, account: Account, days: int) -> None:
    with rest(server, account) as http:
        assert http.put("/api/user/settings", json={"history_days": days}).status_code == 200


def read(server: Server, account: Account, path: str) -> Any:
    with rest(server, account) as http:
        answer = http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


async def test_history_is_kept_from_the_switch_on_and_for_one_side(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        a.send(bob.user_id, "before")
        await a.wait_delivered()
        await asyncio.to_thread(keep_history, server, bob, 90)
        await b.wait_for(lambda: b.is_online, "the connection")
        sent = a.send(bob.user_id, "after")
        await a.wait_delivered()
    (kept,) = await asyncio.to_thread(read, server, bob, f"/api/history/{ann.user_id}")
    assert (kept["content"], kept["message_id"], kept["sequence"]) == ("after", sent.message_id, sent.sequence)
    (conversation,) = await asyncio.to_thread(read, server, bob, "/api/conversations")
    assert (conversation["participant_id"], conversation["unread_count"]) == (ann.user_id, 1)
    with rest(server, ann) as http:
        assert http.get(f"/api/history/{bob.user_id}").json()["code"] == "history_off"


async def test_switched_off_it_is_gone_and_switched_on_again_it_does_not_come_back(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    await asyncio.to_thread(keep_history, server, bob, 90)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob):
        sent = a.send(bob.user_id, "kept for a while")
        await a.wait_delivered()
    for days in (0, 90):
        await asyncio.to_thread(keep_history, server, bob, days)
    assert await asyncio.to_thread(read, server, bob, f"/api/history/{ann.user_id}") == []

    async def is_stripped() -> bool:
        return "deleted" in await asyncio.to_thread(server.manage, "trace", str(sent.message_id))

    async with asyncio.timeout(90):
        while not await is_stripped():
            await asyncio.sleep(0.5)
