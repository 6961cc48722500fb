"""What long polling refuses, and how: a status, a code, and where a socket would be closed its close code."""

import asyncio
import functools
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.options import Account
from tests.client.people import AccountPool, Person
from tests.client.poller import Poller, polling
from tests.client.server import Server

MALFORMED = {"invalid_json", "unknown_action", "invalid_field", "content_too_long"}
REFUSED = {"unknown_receiver", "not_a_member", "forbidden", "conflict"}
MEBIBYTE = 1024 * 1024


def refusal(answer: httpx.Response) -> tuple[int, str, int | None]:
    """Status, code and close code; every refusal has a message too, and none may be stored by anybody."""
    body = answer.json()
    assert body["message"]
    assert answer.headers["cache-control"] == "private, no-store"
    return answer.status_code, body["code"], body.get("close_code")


async def test_no_and_wrong_credentials_are_401(server: Server) -> None:
    for credentials in ({}, {"token": "wrong"}, {"token": "x" * 1000}, {"session": "wrong", "origin": server.base_url}):
        async with polling(server.base_url, **credentials) as nobody:
            assert refusal(await nobody.poll()) == (401, "not_authenticated", 4401)


async def test_a_ticket_opens_no_poll(server: Server) -> None:
    ticket = Person.register(server).get_ticket()
    async with httpx.AsyncClient(base_url=server.base_url) as client:
        answer = await client.post(f"/chat/poll?ticket={ticket}", json={"frames": [], "wait_ms": 0})
    assert answer.status_code == 401


async def test_a_cookie_needs_an_origin_of_ours_at_every_poll(server: Server) -> None:
    session = Person.register(server).open_browser_session()
    foreign = (None, "null", "http://evil.example", f"http://127.0.0.1.evil.example:{server.port}")
    async with polling(server.base_url, session=session, origin=server.base_url) as ours:
        for is_connected in (False, True):
            for origin in foreign:
                async with polling(server.base_url, session=session, origin=origin) as other:
                    assert refusal(await other.poll()) == (403, "origin_refused", 4403), (origin, is_connected)
            await ours.poll_frames(wait_ms=0)
        answer = await ours.poll({"action": "heartbeat"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_the_user_hint_changes_nothing(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with polling(server.base_url, token=ann.token) as poller:
        url = f"/chat/poll?user={bob.user_id}"
        answer = await poller.client.post(url, json={"frames": [], "wait_ms": 0})
        assert answer.json()["frames"][0]["user_id"] == ann.user_id


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_405(server: Server, method: str) -> None:
    async with httpx.AsyncClient(base_url=server.base_url) as client:
        answer = await client.request(method, "/chat/poll")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "status", "code", "named"),
    [
        (b"", 400, "invalid_json", "JSON object"),
        (b"{", 400, "invalid_json", "JSON object"),
        (b"[]", 400, "invalid_json", "JSON object"),
        (b'{"frames":[],"wait_ms":0,"x":"\xff"}', 400, "invalid_json", "UTF-8"),
        (b'{"wait_ms":0}', 400, "invalid_field", "frames"),
        (b'{"frames":{},"wait_ms":0}', 400, "invalid_field", "frames"),
        (b'{"frames":[' + b",".join([b"{}"] * 501) + b'],"wait_ms":0}', 400, "invalid_field", "500 frames"),
        (b'{"frames":[]}', 400, "invalid_field", "wait_ms"),
        (b'{"frames":[],"wait_ms":25001}', 400, "invalid_field", "25,000"),
        (b'{"frames":[],"wait_ms":-1}', 400, "invalid_field", "wait_ms"),
        (b'{"frames":[],"wait_ms":true}', 400, "invalid_field", "wait_ms"),
        (b'{"frames":[],"wait_ms":"5"}', 400, "invalid_field", "wait_ms"),
        (b'{"frames":[],"wait_ms":0,"last_poll":7}', 400, "invalid_field", "last_poll"),
        (b'{"frames":[],"wait_ms":0,"last_poll":"a.b.c.d"}', 400, "invalid_field", "last_poll"),
        (b'{"frames":[' + b'{"a":' * 300 + b"1" + b"}" * 300 + b'],"wait_ms":0}', 400, "invalid_field", "frames[0]"),
        (b'{"frames":["' + b"x" * 65_536 + b'"],"wait_ms":0}', 413, "content_too_long", "frames[0]"),
        (b'{"frames":["' + b"x" * MEBIBYTE + b'"],"wait_ms":0}', 413, "content_too_long", "1,048,576"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused_and_says_what_was_expected(
    server: Server, accounts: AccountPool, body: bytes, status: int, code: str, named: str
) -> None:
    async with polling(server.base_url, token=one_account(accounts).token) as poller:
        answer = await poller.client.post("/chat/poll", content=body)
    assert refusal(answer) == (status, code, None)
    assert named in answer.json()["message"]


async def test_a_body_too_long_is_refused_though_it_does_not_say_its_length(
    server: Server, accounts: AccountPool
) -> None:
    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 65_536

    async with polling(server.base_url, token=one_account(accounts).token) as poller:
        answer = await poller.client.post("/chat/poll", content=chunks())
    assert answer.status_code == 413


async def test_broken_frames_are_answered_one_by_one_and_the_twentieth_ends_the_connection(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    [ann] = breakable_accounts.take(1)
    async with polling(breakable_server.base_url, token=ann.token) as poller:
        await poller.open()
        frames = await poller.poll_frames(7, "x", {"action": "dance"}, {"action": "heartbeat"}, wait_ms=0)
        codes = [frame.get("code") for frame in frames]
        assert codes == ["invalid_json", "invalid_json", "unknown_action", None]
        answer = await poller.poll(*range(30))
        assert refusal(answer) == (400, "too_many_broken_frames", 1008)
        assert len(answer.json()["frames"]) == 17
        await poller.open()


async def test_too_many_connections_are_429_and_polls_of_one_connection_count_once(strict_server: Server) -> None:
    [ann] = strict_server.add_users(1)
    async with polling(strict_server.base_url, token=ann.token) as poller:
        for _ in range(30):
            assert (await poller.poll(wait_ms=0)).status_code == httpx.codes.OK
        answers = [await poller.poll(wait_ms=0, last_poll="") for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code != httpx.codes.OK]
    assert {refusal(answer) for answer in refused} == {(429, "too_many_connections", 4429)}
    assert int(refused[0].headers["retry-after"]) >= 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
frames = st.lists(
    json_values
    | st.fixed_dictionaries(
        {"action": st.sampled_from(["send_message", "message_delivered", "message_read", "typing", "open_chat"])},
        optional={"receiver_id": json_values, "content": json_values, "message_id": json_values},
    ),
    max_size=15,
)
bodies = (
    st.fixed_dictionaries(
        {"frames": frames, "wait_ms": st.integers(0, 20)}, optional={"last_poll": st.text(max_size=9)}
    )
    | st.fixed_dictionaries({}, optional={"frames": json_values, "wait_ms": json_values, "last_poll": json_values})
    | json_values
)


@settings(max_examples=80, deadline=None)
@given(body=bodies.map(json.dumps).map(str.encode) | st.binary(max_size=50))
def test_random_bodies_get_a_refusal_or_error_frames_and_nothing_else(
    server: Server, accounts: AccountPool, body: bytes
) -> None:
    asyncio.run(converse(server, one_account(accounts).token, body))


async def converse(server: Server, token: str, body: bytes) -> None:
    """Send a body and check that the answer is one that the contract knows for it, and that the next poll works."""
    async with polling(server.base_url, token=token) as poller:
        answer = await poller.client.post("/chat/poll", content=body)
        if answer.status_code == httpx.codes.OK:
            received = answer.json()["frames"]
            assert {frame["action"] for frame in received} <= {"connected", "inbox_drained", "error"}
            assert {frame["code"] for frame in received if frame["action"] == "error"} <= MALFORMED | REFUSED
        else:
            assert refusal(answer) in {
                (400, "invalid_json", None),
                (400, "invalid_field", None),
                (400, "too_many_broken_frames", 1008),
            }
        await check_alive(poller)


async def check_alive(poller: Poller) -> None:
    """A heartbeat is answered, be it in the answer after one that was still on its way."""
    for _ in range(3):
        received = await poller.poll_frames({"action": "heartbeat"}, wait_ms=2000)
        if any(frame["action"] == "heartbeat" for frame in received):
            return
    raise AssertionError("no heartbeat was answered")


@functools.cache
def one_account(accounts: AccountPool) -> Account:
    """The account of all bodies that end no connection."""
    return accounts.take(1)[0]
