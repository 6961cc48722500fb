"""Whatever a client sends, nothing but error frames and, after 20 broken ones in a minute, close 1008 comes back."""

import asyncio
import contextlib
import functools
import json
import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.raw_socket import raw_socket
from tests.client.server import Server

# The other codes are provoked by name in test_refusals; `failed` and the retryable ones never answer a broken frame.
MALFORMED = {"invalid_json", "unknown_action", "invalid_field", "content_too_long"}
REFUSED = {"unknown_receiver", "not_a_member", "forbidden", "conflict"}
BROKEN_FRAMES_UNTIL_CLOSE = 20

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
VALID_FRAMES: list[dict[str, Any]] = [
    {"action": "send_message", "receiver_id": "usr-0123456789ab", "content": "hello", "message_id_by_client": 1},
    {"action": "send_message", "group_id": "grp-0123456789ab", "content": "hello", "message_id_by_client": "x"},
    {"action": "message_delivered", "message_id": "msg-0123456789abcdef"},
    {"action": "message_delivered", "message_ids": ["msg-0123456789abcdef"]},
    {"action": "message_read", "message_id": "msg-0123456789abcdef", "receiver_id": "usr-0123456789ab"},
    {"action": "typing", "receiver_id": "usr-0123456789ab", "state": "start"},
    {"action": "open_chat", "user_id": "usr-0123456789ab"},
    {"action": "heartbeat"},
]


@st.composite
def mutated_frames(draw: st.DrawFn) -> str:
    """A valid frame of which some fields are dropped or replaced by anything, or whose text is damaged."""
    frame: dict[str, Any] = {**draw(st.sampled_from(VALID_FRAMES)), "timestamp": 1}
    for name in draw(st.lists(st.sampled_from(sorted(frame)), max_size=3, unique=True)):
        if draw(st.booleans()):
            del frame[name]
        else:
            frame[name] = draw(json_values)
    text = json.dumps(frame)  # not orjson: the numbers may be of any size
    if draw(st.booleans()):
        return text
    cut = draw(st.integers(0, len(text)))
    return text[:cut] + draw(st.text(string.printable, max_size=5)) + text[cut + draw(st.integers(0, 5)) :]


frames = st.lists(st.text(max_size=50) | json_values.map(json.dumps) | mutated_frames(), min_size=1, max_size=40)


async def converse(server: Server, token: str, texts: list[str]) -> None:
    """Send all, then a heartbeat; check that every answer is one the contract knows for this."""
    async with raw_socket(server.url, token=token) as socket:
        await socket.receive(action="inbox_drained")
        with contextlib.suppress(ConnectionClosed):
            for text in texts:
                await socket.send_text(text)
            await socket.send({"action": "heartbeat"})
            await socket.send_text(b"the end")  # binary: answered by close 1003, after all that was sent before
        code, answers = await socket.receive_close()
    codes = [answer["code"] for answer in answers if answer["action"] == "error"]
    assert {answer["action"] for answer in answers} <= {"error", "heartbeat"}
    assert set(codes) <= MALFORMED | REFUSED
    malformed = sum(error in MALFORMED for error in codes)
    if code == 1008:
        assert malformed in {BROKEN_FRAMES_UNTIL_CLOSE - 1, BROKEN_FRAMES_UNTIL_CLOSE}
    else:
        assert code == 1003
        assert malformed < BROKEN_FRAMES_UNTIL_CLOSE
        assert answers[-1]["action"] in {"heartbeat", "error"}


@settings(max_examples=80, deadline=None)
@given(texts=frames)
def test_random_and_mutated_frames_get_errors_and_nothing_else(
    server: Server, accounts: AccountPool, texts: list[str]
) -> None:
    asyncio.run(converse(server, hypothesis_account(accounts).token, texts))


@functools.cache
def hypothesis_account(accounts: AccountPool) -> Account:
    """The one account of all examples."""
    return accounts.take(1)[0]
