"""Every error code of the frames that are built so far, provoked from outside."""

import asyncio
from typing import Any

import pytest

from tests.client.chat_client import ChatClient
from tests.client.history import Frame
from tests.client.options import Account
from tests.client.people import AccountPool, Person
from tests.client.raw_socket import raw_socket
from tests.client.server import Server

NOBODY = "usr-000000000000"


def build_frame(**fields: Any) -> Frame:
    frame = {"action": "send_message", "content": "x", "message_id_by_client": 1, "timestamp": 1}
    return {name: value for name, value in {**frame, **fields}.items() if value is not None}


@pytest.fixture(scope="module")
def people(accounts: AccountPool) -> list[Account]:
    return accounts.take(2)


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        ('{"action":"send_message","content":"\\ud800","message_id_by_client":1}', "invalid_json", None),
        ("{}", "unknown_action", None),
        ('{"action":"fly"}', "unknown_action", None),
        ('{"action":{}}', "unknown_action", None),
        ('{"action":"message_delivered"}', "invalid_field", "message_id"),
        ('{"action":"message_delivered","message_ids":[]}', "invalid_field", "message_ids"),
        ('{"action":"typing","receiver_id":"usr-000000000000","state":"maybe"}', "invalid_field", "state"),
        ('{"action":"open_chat","user_id":7}', "invalid_field", "user_id"),
        ('{"action":"message_read","message_id":"7","receiver_id":"usr-000000000000"}', "invalid_field", "message_id"),
    ],
)
async def test_a_broken_frame_is_told_what_is_wrong(
    server: Server, people: list[Account], text: str, code: str, field: str | None
) -> None:
    async with raw_socket(server.url, token=people[0].token) as a:
        await a.send_text(text)
        error = await a.receive(action="error")
        assert (error["code"], error.get("field")) == (code, field)
        assert error["message"]
        await a.send({"action": "heartbeat"})
        await a.receive(action="heartbeat")


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"content": ""}, "invalid_field", "content"),
        ({"content": "a\0b"}, "invalid_field", "content"),
        ({"content": {}}, "invalid_field", "content"),
        ({"content": "ä" * 1001}, "content_too_long", "content"),
        ({"content": "x", "padding": "x" * 16_384}, "content_too_long", None),
        ({"message_id_by_client": -1}, "invalid_field", "message_id_by_client"),
        ({"message_id_by_client": True}, "invalid_field", "message_id_by_client"),
        ({"message_id_by_client": "x" * 65}, "invalid_field", "message_id_by_client"),
        ({"timestamp": "now"}, "invalid_field", "timestamp"),
        ({"receiver_id": None}, "invalid_field", "receiver_id"),
        ({"receiver_id": ["usr-000000000000"]}, "invalid_field", "receiver_id"),
        ({"group_id": "grp-000000000000"}, "invalid_field", "group_id"),
        ({"receiver_id": None, "group_id": "grp-000000000000"}, "not_a_member", None),
        ({"receiver_id": NOBODY}, "unknown_receiver", None),
        ({"reply_to": "msg-1"}, "invalid_field", "reply_to"),
        ({"envelope": "secret"}, "invalid_field", "envelope"),
    ],
)
async def test_a_message_that_may_not_be_sent_is_told_why(
    server: Server, people: list[Account], fields: dict[str, Any], code: str, field: str | None
) -> None:
    async with raw_socket(server.url, token=people[0].token) as a:
        await a.send(build_frame(**({"receiver_id": people[1].user_id} | fields)))
        error = await a.receive(action="error")
        assert (error["code"], error.get("field")) == (code, field)


async def test_nobody_writes_to_themselves(server: Server, people: list[Account]) -> None:
    async with raw_socket(server.url, token=people[0].token) as a:
        await a.send(build_frame(receiver_id=people[0].user_id))
        error = await a.receive(action="error")
        assert (error["code"], error["field"], error["message_id_by_client"]) == ("invalid_field", "receiver_id", 1)


async def test_who_is_blocked_is_refused_and_nothing_arrives(server: Server, accounts: AccountPool) -> None:
    [ann] = accounts.take(1)
    bob = Person.register(server)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob.account) as b:
        a.send(bob.user_id, "before")
        await a.wait_delivered()
        await asyncio.to_thread(bob.block, ann.user_id)
        refused = a.send(bob.user_id, "after")
        await a.wait_delivered()
        assert refused.errors[-1]["code"] == "forbidden"
        assert [shown.content for shown in b.history.shown.values()] == ["before"]


async def test_unknown_and_foreign_message_ids_are_confirmed_without_an_answer(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob, eve = accounts.take(3)
    async with ChatClient(server.url, ann) as a, raw_socket(server.url, token=eve.token) as e:
        message = a.send(bob.user_id, "not for eve")
        await a.wait_for(lambda: message.is_acknowledged, "✓")
        for message_id in (message.message_id, "msg-ffffffffffffffff"):
            await e.send({"action": "message_delivered", "message_id": message_id, "timestamp": 1})
        await e.send({"action": "heartbeat"})
        await e.receive(action="heartbeat")
        async with ChatClient(server.url, bob) as b:
            await a.wait_delivered()
            assert [shown.content for shown in b.history.shown.values()] == ["not for eve"]
        assert message.delivered_at is not None


async def test_who_sends_too_fast_is_told_when_to_go_on_and_a_retry_is_free(strict_server: Server) -> None:
    ann, bob = strict_server.add_users(2)
    async with raw_socket(strict_server.url, token=ann.token) as a:
        for number in range(11):
            await a.send(build_frame(receiver_id=bob.user_id, message_id_by_client=number))
        error = await a.receive(action="error")
        assert (error["code"], error["message_id_by_client"]) == ("rate_limited", 10)
        assert 0 < error["retry_after_ms"] <= 60_000
        await a.send(build_frame(receiver_id=bob.user_id, message_id_by_client=0))
        await a.receive(action="message_received", message_id_by_client=0)
