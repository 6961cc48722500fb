"""What the gateway tells the metrics."""

import time

import pytest

from apps.gateway.close_codes import CloseReason
from apps.gateway.measures import count_close, measure_arrival
from apps.observability.metrics import ARRIVAL_SECONDS, CLOSES
from apps.protocol import server_frames


def incoming(content: str | None, timestamp_ms: int, **more: object) -> str:
    fields: dict[str, object] = {"envelope": None, "media": None, "reply_to": None, "group_id": None} | more
    return server_frames.incoming_message(
        message_id="msg-1",
        sender_id="usr-1",
        receiver_id=None,
        content=content,
        timestamp_ms=timestamp_ms,
        sequence=5,
        **fields,  # type: ignore[arg-type]
    )


def measured(frame: str) -> float:
    """Seconds that the frame added to the histogram's sum."""
    before = ARRIVAL_SECONDS._sum.get()
    measure_arrival(frame)
    return ARRIVAL_SECONDS._sum.get() - before


@pytest.mark.parametrize(
    "more",
    [
        {"content": 'I write "timestamp":1 to you, and \\"timestamp\\":2'},
        {"content": None, "envelope": {"timestamp": 3, "body": "x"}},
        {"content": "plain"},
    ],
)
def test_the_server_s_own_timestamp_counts_whatever_people_write(more: dict[str, object]) -> None:
    content = more.pop("content")
    frame = incoming(content, int(time.time() * 1000) - 3_600_000, **more)  # type: ignore[arg-type]
    assert measured(frame) == pytest.approx(3600, abs=60)


def test_a_clock_that_is_ahead_counts_as_no_time() -> None:
    assert measured(incoming("x", int(time.time() * 1000) + 3_600_000)) == 0


def test_receipts_are_not_measured() -> None:
    assert measured(server_frames.message_delivered(message_id="msg-1", timestamp_ms=1)) == 0


def test_a_close_is_counted_by_code_and_reason() -> None:
    counter = CLOSES.labels("4403", "revoked")
    before = counter._value.get()
    count_close(CloseReason.REVOKED)
    assert counter._value.get() == before + 1
