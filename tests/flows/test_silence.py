"""Clients that fall silent are closed with 4408. The long waits run beside each other."""

import asyncio
import time

import pytest

from tests.client.chat_client import ChatClient
from tests.client.people import AccountPool
from tests.client.raw_socket import raw_socket
from tests.client.server import Server

NO_HEARTBEAT_SECONDS = 75
NO_ANSWER_SECONDS = 20
TOLERANCE_SECONDS = 12


async def close_of_a_client_without_heartbeats(server: Server, accounts: AccountPool) -> tuple[int, float]:
    [ann] = accounts.take(1)
    async with raw_socket(server.url, token=ann.token) as silent:
        await silent.receive(action="inbox_drained")
        started = time.monotonic()
        code, _ = await silent.receive_close(NO_HEARTBEAT_SECONDS + TOLERANCE_SECONDS)
        return code, time.monotonic() - started


async def close_of_a_client_that_ignores_a_message(server: Server, accounts: AccountPool) -> tuple[int, float]:
    ann, bob = accounts.take(2)
    async with raw_socket(server.url, token=bob.token) as silent, ChatClient(server.url, ann) as a:
        await silent.receive(action="inbox_drained")
        a.send(bob.user_id, "anybody there?")
        await silent.receive(action="incoming_message")
        started = time.monotonic()
        code, _ = await silent.receive_close(NO_ANSWER_SECONDS + TOLERANCE_SECONDS)
        return code, time.monotonic() - started


@pytest.mark.timeout(150)
async def test_a_silent_client_is_4408(server: Server, accounts: AccountPool) -> None:
    (quiet_code, quiet_for), (deaf_code, deaf_for) = await asyncio.gather(
        close_of_a_client_without_heartbeats(server, accounts),
        close_of_a_client_that_ignores_a_message(server, accounts),
    )
    assert (quiet_code, deaf_code) == (4408, 4408)
    assert quiet_for >= NO_HEARTBEAT_SECONDS - 1
    assert deaf_for >= NO_ANSWER_SECONDS - 1
