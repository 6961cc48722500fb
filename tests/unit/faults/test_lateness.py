"""Waits are measured from what the clients saw."""

import pytest

from tests.client.history import History, SentMessage
from tests.faults.lateness import Lateness, measure_lateness


def make_histories() -> tuple[History, History]:
    """Ann sends at 10, 11 and 12 s; ✓ comes after 0.1, 4 and 3.5 s; Bob sees them at 10.3, 15.5 and (again) 16 s."""
    ann, bob = History("usr-a", "dev-a"), History("usr-b", "dev-b")
    for number, (tick, arrival) in enumerate([(10.1, 10.3), (15.0, 15.5), (15.5, 16.0)]):
        message = SentMessage(
            client_id=number, receiver_id="usr-b", content=f"text {number}", submitted_at=10.0 + number
        )
        ann.sent[number] = message
        ack = {"action": "message_received", "message_id": f"msg-{number}", "message_id_by_client": number}
        ann.record(ack | {"timestamp": 1, "sequence": number}, at=tick, connection=1)
        incoming = {"action": "incoming_message", "message_id": f"msg-{number}", "sender_id": "usr-a"}
        incoming |= {"content": f"text {number}", "timestamp": 1, "sequence": number}
        for at in (arrival, arrival + 20):
            bob.record(incoming, at=at, connection=1)
    return ann, bob


def test_the_longest_waits_are_found_and_repeats_do_not_count() -> None:
    found = measure_lateness(make_histories())
    assert (found.tick, found.arrival, found.pause) == pytest.approx((4.0, 4.5, 4.9))


def test_what_was_sent_before_is_left_out() -> None:
    found = measure_lateness(make_histories(), since=12.0)
    assert (found.tick, found.arrival, found.pause) == pytest.approx((3.5, 4.0, 0.0))


def test_a_run_without_messages_has_no_waits() -> None:
    assert measure_lateness([]) == Lateness(tick=0.0, arrival=0.0, pause=0.0)
