"""Waits are measured from what the clients saw."""

import pytest

from tests.client.history import History, SentMessage
from tests.faults.lateness import Lateness, Window, longest_silence, measure_faults, measure_lateness


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


def test_silence_is_measured_within_a_window_and_to_its_ends() -> None:
    times = [1.0, 2.0, 5.0, 6.0, 20.0]
    assert longest_silence(times, 0.0, 7.0) == 3.0
    assert longest_silence(times, 5.5, 12.0) == 6.0
    assert longest_silence(times, 7.0, 9.0) == 2.0
    assert longest_silence([], 7.0, 9.0) == 2.0


def make_window(kind: str, began_at: float, ended_at: float, recovered_at: float | None) -> Window:
    left_at = ended_at + 120 if recovered_at is None else recovered_at
    return Window(
        kind=kind, target="relay", began_at=began_at, ended_at=ended_at, left_at=left_at, recovered_at=recovered_at
    )


def test_each_kind_of_fault_is_measured_within_its_own_windows() -> None:
    windows = [make_window("kill", 10.0, 12.0, 16.0), make_window("flush", 10.2, 10.25, 10.29)]
    flush, kill = measure_faults(make_histories(), windows)
    assert (flush.kind, flush.times) == ("flush", 1)
    assert (flush.without_tick, flush.without_delivery) == pytest.approx((0.09, 0.09))
    assert (kill.kind, kill.times, kill.unrecovered) == ("kill", 1, 0)
    assert (kill.without_tick, kill.without_delivery) == pytest.approx((4.9, 5.2))
    assert (kill.recovery_p50, kill.recovery_longest) == pytest.approx((4.0, 4.0))


def test_a_fault_that_nothing_recovered_from_is_counted() -> None:
    [kill] = measure_faults(make_histories(), [make_window("kill", 10.0, 12.0, None)])
    assert kill.unrecovered == 1
    assert kill.without_tick == pytest.approx(132.0 - 15.5)
