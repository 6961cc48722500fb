"""What the server writes is what the golden frames say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.protocol import server_frames
from apps.protocol.errors import ErrorCode, FrameError

A, B, M, T, S = "usr-0a1b2c3d4e5f", "usr-9f8e7d6c5b4a", "msg-0123456789abcdef", 1764000000000, 1099511627777
INCOMING: dict[str, Any] = {
    "message_id": M,
    "sender_id": A,
    "group_id": None,
    "content": "hello",
    "envelope": None,
    "media": None,
    "timestamp_ms": T,
    "sequence": S,
}
BUILT: dict[str, Callable[[], str]] = {
    "connected": lambda: server_frames.connected(user_id=A, device_id="dev-0a1b2c3d4e5f", server_id="gw-1", now_ms=T),
    "inbox-drained": lambda: server_frames.inbox_drained(20),
    "heartbeat-answer": lambda: server_frames.heartbeat(T),
    "message-received": lambda: server_frames.message_received(message_id=M, client_id=42, timestamp_ms=T, sequence=S),
    "incoming-message": lambda: server_frames.incoming_message(receiver_id=None, reply_to=None, **INCOMING),
    "incoming-own-copy": lambda: server_frames.incoming_message(
        receiver_id=B, reply_to="msg-0123456789abcdf0", **INCOMING
    ),
    "message-delivered-to-sender": lambda: server_frames.message_delivered(message_id=M, timestamp_ms=T, client_id=42),
    "message-delivered-elsewhere": lambda: server_frames.message_delivered(message_id=M, timestamp_ms=T),
    "message-read-by-peer": lambda: server_frames.message_read(message_id=M, reader_id=B, timestamp_ms=T),
    "typing-of-peer": lambda: server_frames.typing(sender_id=A, receiver_id=B, state="start"),
    "presence": lambda: server_frames.presence(user_id=B, online=True, last_seen_ms=T),
    "presence-hidden": lambda: server_frames.presence(user_id=B, online=False, last_seen_ms=None),
    "settings-changed": server_frames.settings_changed,
    "error-invalid-field": lambda: server_frames.error(
        FrameError(ErrorCode.INVALID_FIELD, "content: expected text.", field="content", message_id_by_client=42)
    ),
    "error-rate-limited": lambda: server_frames.error(
        FrameError(
            ErrorCode.RATE_LIMITED,
            "You are sending too fast; send it again later.",
            message_id_by_client=42,
            retry_after_ms=1500,
        )
    ),
    "error-late": lambda: server_frames.late_error(
        code="forbidden", message="This user does not take messages from you.", message_id=M, client_id=42
    ),
}
GOLDEN = {path.stem.removeprefix("server-"): path for path in Path("tests/fixtures/frames").glob("server-*.json")}


def test_every_golden_server_frame_is_built_here() -> None:
    assert set(BUILT) == set(GOLDEN)


@pytest.mark.parametrize("name", sorted(BUILT))
def test_a_server_frame_has_exactly_the_fields_of_its_golden_one(name: str) -> None:
    assert json.loads(BUILT[name]()) == json.loads(GOLDEN[name].read_text())["frame"]


def test_an_incoming_message_begins_as_the_gateway_expects() -> None:
    assert BUILT["incoming-message"]().startswith(server_frames.INCOMING_PREFIX)
