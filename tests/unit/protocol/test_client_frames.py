"""The golden frames, and what random input makes of the codec."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.protocol.client_frames import ConfirmDelivery, SendMessage
from apps.protocol.codec import decode_client_frame
from apps.protocol.errors import MALFORMED, FrameError
from apps.protocol.records import content_digest

GOLDEN = [json.loads(path.read_text()) for path in sorted(Path("tests/fixtures/frames").glob("*.json"))]
CLIENT = [one for one in GOLDEN if one["way"] == "client"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def code_of(text: str) -> str | None:
    """The error code of a frame, or None for one that is taken."""
    try:
        decode_client_frame(text)
    except FrameError as error:
        return error.code
    return None


@pytest.mark.parametrize("golden", [one for one in CLIENT if "error" not in one], ids=lambda one: one["name"])
def test_a_golden_client_frame_is_taken_with_its_fields(golden: dict[str, Any]) -> None:
    frame = decode_client_frame(json.dumps(golden["frame"]))
    fields = {"message_id_by_client": "client_id", "timestamp": "sent_at_ms"}
    for name, value in golden["frame"].items():
        attribute = fields.get(name, name)
        if isinstance(frame, ConfirmDelivery):
            expected = golden["frame"].get("message_ids") or [golden["frame"]["message_id"]]
            assert list(frame.message_ids) == expected
        elif name != "action" and (isinstance(frame, SendMessage) or name != "timestamp"):
            assert getattr(frame, attribute) == value


@pytest.mark.parametrize("golden", [one for one in CLIENT if "error" in one], ids=lambda one: one["name"])
def test_a_broken_golden_frame_gets_the_error_of_the_contract(golden: dict[str, Any]) -> None:
    with pytest.raises(FrameError) as caught:
        decode_client_frame(json.dumps(golden["frame"]))
    assert caught.value.code == golden["error"]["code"]
    if "field" in golden["error"]:
        assert caught.value.field == golden["error"]["field"]
    sent = golden["frame"].get("message_id_by_client") if isinstance(golden["frame"], dict) else None
    if sent == 42:
        assert caught.value.message_id_by_client == 42


@pytest.mark.parametrize("text", ["", "{", "nan", '{"action":"heartbeat"', '{"a":"\\ud800"}', "[" * 10_000])
def test_what_is_no_json_is_invalid_json(text: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode_client_frame(text)
    assert caught.value.code == "invalid_json"


def test_an_envelope_may_make_a_frame_longer_than_16_kib() -> None:
    golden = next(one for one in CLIENT if one["name"] == "send-message-encrypted")["frame"]
    frame = decode_client_frame(json.dumps(golden | {"envelope": {"ciphertext": "x" * 40_000}}))
    assert isinstance(frame, SendMessage)
    assert frame.envelope == {"ciphertext": "x" * 40_000}


@pytest.mark.parametrize("levels", [245, 255, 900])
def test_an_envelope_that_cannot_be_written_again_is_refused(levels: int) -> None:
    envelope = '{"a":' * levels + "1" + "}" * levels
    text = (
        '{"action":"send_message","receiver_id":"usr-9f8e7d6c5b4a","message_id_by_client":1,"timestamp":1,"envelope":'
        + envelope
        + "}"
    )
    if levels == 245:
        frame = decode_client_frame(text)
        assert isinstance(frame, SendMessage)
        assert len(content_digest(frame)) == 32
        return
    with pytest.raises(FrameError) as caught:
        decode_client_frame(text)
    assert caught.value.code in MALFORMED


@given(st.text(max_size=200) | JSON_VALUES.map(json.dumps))
def test_random_text_is_a_frame_or_a_malformed_one(text: str) -> None:
    assert code_of(text) in {None, *MALFORMED}


@given(st.sampled_from([one["frame"] for one in CLIENT if "error" not in one]), st.text(max_size=20), JSON_VALUES)
def test_a_frame_with_one_field_changed_is_a_frame_or_a_malformed_one(
    frame: dict[str, Any], name: str, value: Any
) -> None:
    for field in (*frame, name):
        assert code_of(json.dumps(frame | {field: value})) in {None, *MALFORMED}
