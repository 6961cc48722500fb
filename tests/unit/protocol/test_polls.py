"""The bodies of long polling: what is taken, what is refused with which words, and what comes back."""

import json

import pytest

from apps.protocol.errors import ErrorCode
from apps.protocol.polls import (
    PollError,
    PollMark,
    decode_mark,
    decode_poll_request,
    encode_poll_answer,
    encode_poll_refusal,
)

MARK = PollMark(
    client=1_764_000_000_000_000, connection_id=1_764_000_000_000_001, number=3, position=17, epoch="0123abcd.x-9"
)


def test_a_request_gives_its_frames_as_a_socket_would_carry_them() -> None:
    request = decode_poll_request(b'{"frames": [{"action": "heartbeat"}, 5, null], "wait_ms": 25000}')
    assert request.frames == ('{"action":"heartbeat"}', "5", "null")
    assert request.wait_seconds == 25.0
    assert request.last_poll is None


@pytest.mark.parametrize("last_poll", ["", str(MARK)])
def test_a_request_may_name_the_last_answer_or_begin_anew(last_poll: str) -> None:
    body = json.dumps({"frames": [], "wait_ms": 0, "last_poll": last_poll}).encode()
    assert decode_poll_request(body).last_poll == last_poll


def test_fields_of_later_versions_are_passed_over() -> None:
    assert decode_poll_request(b'{"frames":[],"wait_ms":1,"new":true}').frames == ()


def test_a_mark_comes_back_as_it_went_out() -> None:
    assert decode_mark(str(MARK)) == MARK


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2.3.4", "x.2.3.4.e", "1.2.-3.4.e", "1.2.٣.4.e", "1.2.3.4." + "e" * 120, "1" * 17 + ".2.3.4.e"],
)
def test_a_mark_that_no_answer_carried_is_refused(text: str) -> None:
    with pytest.raises(PollError) as caught:
        decode_mark(text)
    assert caught.value.code is ErrorCode.INVALID_FIELD
    assert "last_poll" in caught.value.message


def test_a_mark_may_be_of_a_connection_without_an_inbox_yet() -> None:
    assert decode_mark("1.2.3.4.").epoch == ""


def test_an_answer_is_the_frames_and_the_mark() -> None:
    body = encode_poll_answer(['{"action":"heartbeat","timestamp":1}', '{"a":"ü"}'], str(MARK))
    assert json.loads(body) == {"frames": [{"action": "heartbeat", "timestamp": 1}, {"a": "ü"}], "poll": str(MARK)}


def test_a_refusal_has_the_form_of_rest_and_the_last_frames() -> None:
    body = encode_poll_refusal("replaced", "why", 4409, ['{"action":"heartbeat"}'])
    assert json.loads(body) == {
        "code": "replaced",
        "message": "why",
        "close_code": 4409,
        "frames": [{"action": "heartbeat"}],
    }
    assert json.loads(encode_poll_refusal("invalid_json", "why", None, [])) == {
        "code": "invalid_json",
        "message": "why",
    }
