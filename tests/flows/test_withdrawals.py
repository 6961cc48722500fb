"""What the chat server learns too late, and what is too much for the whole site."""

import asyncio

from tests.client.chat_client import ChatClient
from tests.client.history import Frame
from tests.client.people import AccountPool
from tests.client.raw_socket import raw_socket
from tests.client.server import Server, running_server

WITHOUT_TELLING_ANYBODY = "from apps.accounts.models import Block; Block.objects.create(owner_id={!r}, person_id={!r})"


def build_frame(*, receiver_id: str, message_id_by_client: int | str) -> Frame:
    return {
        "action": "send_message",
        "receiver_id": receiver_id,
        "content": f"number {message_id_by_client}",
        "message_id_by_client": message_id_by_client,
        "timestamp": 1,
    }


async def test_a_block_that_the_gateway_did_not_know_withdraws_the_message_after_its_tick(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    async with raw_socket(server.url, token=ann.token) as a, ChatClient(server.url, bob) as b:
        await a.send(build_frame(receiver_id=bob.user_id, message_id_by_client="before"))
        await a.receive(action="message_delivered")
        await asyncio.to_thread(
            server.manage, "shell", "-v", "0", "-c", WITHOUT_TELLING_ANYBODY.format(bob.user_id, ann.user_id)
        )
        await a.send(build_frame(receiver_id=bob.user_id, message_id_by_client="after"))
        received = await a.receive(action="message_received", message_id_by_client="after")
        error = await a.receive(action="error")
        assert (error["code"], error["message_id"]) == ("forbidden", received["message_id"])
        assert error["message_id_by_client"] == "after"
        assert len(b.history.shown) == 1


async def test_a_withdrawal_comes_again_until_a_heartbeat_has_acknowledged_it(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    await asyncio.to_thread(
        server.manage, "shell", "-v", "0", "-c", WITHOUT_TELLING_ANYBODY.format(bob.user_id, ann.user_id)
    )
    async with raw_socket(server.url, token=ann.token) as a:
        await a.send(build_frame(receiver_id=bob.user_id, message_id_by_client=1))
        withdrawn = await a.receive(action="error")
    async with raw_socket(server.url, token=ann.token) as a:
        again = await a.receive(action="error")
        drained = await a.receive(action="inbox_drained")
    assert again == withdrawn
    assert (again["code"], drained["count"]) == ("forbidden", 0)


async def test_above_five_times_the_steady_state_the_whole_site_is_overloaded() -> None:
    with running_server(STEADY_MESSAGES_PER_SECOND=2, RATE_LIMIT_PER_MINUTE=0) as busy:
        ann, bob = await asyncio.to_thread(busy.add_users, 2)
        async with raw_socket(busy.url, token=ann.token) as a:
            for number in range(40):
                await a.send(build_frame(receiver_id=bob.user_id, message_id_by_client=number))
            error = await a.receive(action="error")
            assert error["code"] == "overloaded"
            assert error["retry_after_ms"] > 0
