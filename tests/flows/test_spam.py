"""A spammer meets the limit on a real server; somebody whom people answer does not."""

from collections.abc import Iterator

import pytest

from tests.client.chat_client import ChatClient
from tests.client.people import AccountPool
from tests.client.raw_socket import raw_socket
from tests.client.server import Server, running_server


@pytest.fixture(scope="module")
def watchful_server() -> Iterator[Server]:
    """A server on which few people without an answer are many."""
    with running_server(RATE_LIMIT_PER_MINUTE=100_000, SPAM_UNANSWERED_PER_HOUR=8, SPAM_LIMIT_PER_MINUTE=2) as running:
        yield running


@pytest.fixture(scope="module")
def people(watchful_server: Server) -> AccountPool:
    """Fresh accounts of that server."""
    return AccountPool(watchful_server)


async def test_who_writes_to_many_who_do_not_answer_is_limited(watchful_server: Server, people: AccountPool) -> None:
    spammer, *others = people.take(31)
    async with raw_socket(watchful_server.url, token=spammer.token) as socket:
        for number in range(500):
            frame = {
                "action": "send_message",
                "receiver_id": others[number % 30].user_id,
                "content": "buy",
                "message_id_by_client": number,
                "timestamp": 1,
            }
            await socket.send(frame)
            answer = await socket.receive(within=60, message_id_by_client=number)
            if answer["action"] == "error":
                break
    assert answer["code"] == "rate_limited"
    assert 0 < answer["retry_after_ms"] <= 60_000


async def test_who_is_answered_is_not(watchful_server: Server, people: AccountPool) -> None:
    ann, *others = people.take(7)
    async with ChatClient(watchful_server.url, ann) as a:
        for other in others:
            async with ChatClient(watchful_server.url, other) as b:
                a.send(other.user_id, f"hello {other.user_id}")
                await a.wait_delivered(60)
                b.send(ann.user_id, f"hello from {other.user_id}")
                await b.wait_delivered(60)
        for number in range(60):
            a.send(others[number % 6].user_id, f"and {number}")
        await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), "every ✓")
        assert not [frame for frame in a.history.frames if frame["action"] == "error"]
