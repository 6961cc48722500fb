"""Records survive the log; anything else is a broken record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.protocol.client_frames import SendMessage
from apps.protocol.records import (
    BrokenRecord,
    ConversationRead,
    DeliveryConfirmed,
    MessageRetried,
    MessageSubmitted,
    Record,
    content_digest,
    decode_record,
    encode_record,
)

A, B, M = "usr-0a1b2c3d4e5f", "usr-9f8e7d6c5b4a", "msg-0123456789abcdef"
RECORDS: list[Record] = [
    MessageSubmitted(
        message_id=M,
        sender_id=A,
        sender_device="dev-0a1b2c3d4e5f",
        client_id="i42",
        digest="00" * 16,
        receiver_id=B,
        group_id=None,
        content="héllo",
        envelope=None,
        media={"media_id": "med-" + "0f" * 16},
        reply_to=None,
        timestamp_ms=5,
        sent_at_ms=4,
    ),
    MessageRetried(message_id=M, sender_id=A, sender_device="dev-0a1b2c3d4e5f"),
    MessageRetried(message_id=M, sender_id=A, sender_device="dev-0a1b2c3d4e5f", client_id="i42", receiver_id=B),
    DeliveryConfirmed(user_id=B, device_id="dev-0a1b2c3d4e5f", message_ids=(M,), timestamp_ms=6),
    ConversationRead(user_id=B, device_id="dev-0a1b2c3d4e5f", told=A, message_id=M, timestamp_ms=7),
]


def frame(**changes: object) -> SendMessage:
    fields: dict[str, object] = {
        "receiver_id": B,
        "group_id": None,
        "content": "x",
        "envelope": None,
        "media": None,
        "reply_to": None,
        "client_id": 1,
        "sent_at_ms": 1,
    }
    return SendMessage(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize("payload", ["", "{}", "[]", '["m"]', '["x",1]', '["d","usr-1","dev",["msg-1"],1]', "[1,2,3]"])
def test_anything_else_is_a_broken_record(payload: str) -> None:
    with pytest.raises(BrokenRecord):
        decode_record(payload)


@given(st.text(max_size=300))
def test_random_text_is_a_broken_record(payload: str) -> None:
    with pytest.raises(BrokenRecord):
        decode_record(payload)


def test_the_digest_is_over_content_and_target_but_not_over_times_and_ids() -> None:
    assert content_digest(frame()) == content_digest(frame(sent_at_ms=99, client_id="other"))
    for change in ({"content": "y"}, {"receiver_id": A}, {"reply_to": M}, {"media": {"media_id": "m"}}):
        assert content_digest(frame(**change)) != content_digest(frame())


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert content_digest(frame(envelope=one)) == content_digest(frame(envelope=other))
