"""Random runs of an honest site are clean, and whatever single thing is changed in them is found."""

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.history import Acknowledgement, History, SentMessage, ShownMessage
from tests.faults.checker import check
from tests.faults.checker.reading import read_records
from tests.faults.records import write_histories
from tests.unit.faults.checker_runs import HonestRun

seeds = st.integers(0, 2**32 - 1)
examples = settings(max_examples=60, deadline=None)
Histories = list[History]
Mutation = Callable[[Histories, random.Random], bool]


@examples
@given(seeds)
def test_an_honest_run_is_clean(seed: int) -> None:
    report = check(HonestRun(seed).histories)
    assert report.is_clean, report.text()


@examples
@given(seeds)
def test_a_run_is_judged_from_its_file_as_it_was_in_memory(seed: int) -> None:
    histories = HonestRun(seed).histories
    histories[0].shown.clear()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "histories.jsonl"
        write_histories(path, histories)
        again = read_records([path]).histories
    assert check(again).json() == check(histories).json()


def pick_sent(histories: Histories, rng: random.Random) -> tuple[History, SentMessage] | None:
    """A delivered message of a device that is still there and that a device of the receiver must show."""
    found = [
        (history, message)
        for history in histories
        for message in history.sent.values()
        if not history.is_logged_out and message.delivered_at is not None and pick_copies(histories, message)
    ]
    return rng.choice(found) if found else None


def pick_copies(histories: Histories, message: SentMessage) -> Histories:
    """The devices of the receiver that must show a message."""
    return [
        history
        for history in histories
        if history.user_id == message.receiver_id
        and history.logged_in_at <= message.submitted_at
        and not history.is_logged_out
    ]


def pick_shown(history: History, message: SentMessage) -> ShownMessage:
    return next(shown for shown in history.shown.values() if shown.content == message.content)


def drop_an_arrival(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    device = rng.choice(pick_copies(histories, found[1]))
    del device.shown[pick_shown(device, found[1]).message_id]
    return True


def double_an_arrival(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    device = rng.choice(pick_copies(histories, found[1]))
    shown = pick_shown(device, found[1])
    frame: dict[str, object] = {"action": "incoming_message", "message_id": "msg-twin", "sender_id": shown.sender_id}
    frame |= {"content": shown.content, "timestamp": 1, "sequence": shown.sequence + 5_000_000}
    device.record(frame, at=shown.at + 1, connection=1)
    return True


def swap_two_arrivals(histories: Histories, rng: random.Random) -> bool:
    """Two of one sender to one device: neighbours within a conversation or not."""
    for device in rng.sample(histories, len(histories)):
        by_sender: dict[str, list[str]] = {}
        for shown in device.shown.values():
            if shown.receiver_id is None:
                by_sender.setdefault(shown.sender_id, []).append(shown.message_id)
        for ids in by_sender.values():
            if len(ids) > 1:
                one, two = rng.sample(ids, 2)
                order = [{one: two, two: one}.get(key, key) for key in device.shown]
                device.shown = {key: device.shown[key] for key in order}
                return True
    return False


def drop_a_receipt(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    found[1].delivered_at = None
    return True


def drop_a_receipt_on_another_device(histories: Histories, rng: random.Random) -> bool:
    for sender in rng.sample(histories, len(histories)):
        for message in sender.sent.values():
            for other in histories:
                there = other.logged_in_at <= message.submitted_at and not other.is_logged_out
                if other.user_id == sender.user_id and other is not sender and there and not sender.is_logged_out:
                    assert message.message_id is not None
                    other.delivered_ids.discard(message.message_id)
                    return True
    return False


def drop_a_tick(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    found[1].acknowledgements.clear()
    found[1].delivered_at = None
    return True


def acknowledge_again(histories: Histories, rng: random.Random, *, message_id: str | None, by: int) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    last = found[1].acknowledgements[-1]
    changed = Acknowledgement(at=last.at, message_id=message_id or last.message_id, sequence=last.sequence + by)
    found[1].acknowledgements.append(changed)
    return True


def change_the_sequence(histories: Histories, rng: random.Random) -> bool:
    return acknowledge_again(histories, rng, message_id=None, by=5_000_000)


def change_the_id(histories: Histories, rng: random.Random) -> bool:
    return acknowledge_again(histories, rng, message_id="msg-other", by=0)


def say_delivered_too_soon(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    found[1].delivered_at = found[1].submitted_at - 1.0
    return True


def show_it_to_a_stranger(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    stranger = History("usr-eve", "dev-eve")
    shown = pick_shown(rng.choice(pick_copies(histories, found[1])), found[1])
    stranger.shown[shown.message_id] = shown
    histories.append(stranger)
    return True


def log_out_before_an_arrival(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    device = rng.choice(pick_copies(histories, found[1]))
    device.logged_out_at = pick_shown(device, found[1]).at - 0.25
    return True


def change_the_words(histories: Histories, rng: random.Random) -> bool:
    if (found := pick_sent(histories, rng)) is None:
        return False
    for device in pick_copies(histories, found[1]):
        pick_shown(device, found[1]).content = "other words"
    return True


MUTATIONS: list[tuple[Mutation, str]] = [
    (drop_an_arrival, "lost"),
    (double_an_arrival, "doubled"),
    (swap_two_arrivals, "disordered"),
    (drop_a_receipt, "no ✓✓"),
    (drop_a_receipt_on_another_device, "no ✓✓"),
    (drop_a_tick, "no ✓"),
    (change_the_sequence, "two orders"),
    (change_the_id, "two ids"),
    (say_delivered_too_soon, "false ✓✓"),
    (show_it_to_a_stranger, "no right"),
    (log_out_before_an_arrival, "no right"),
    (change_the_words, "invented"),
]


@pytest.mark.parametrize(("mutate", "kind"), MUTATIONS)
def test_a_single_change_is_found_in_every_run(mutate: Mutation, kind: str) -> None:
    tried = 0

    @examples
    @given(seeds)
    def change_one_thing(seed: int) -> None:
        nonlocal tried
        histories = HonestRun(seed).histories
        if mutate(histories, random.Random(seed)):
            tried += 1
            assert kind in {finding.kind for finding in check(histories).findings}

    change_one_thing()
    assert tried >= 20, "so few runs had what could be changed that this shows little"
