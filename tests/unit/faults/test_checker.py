"""The checker finds every fault that is planted into a clean run, and none in the clean run."""

from collections.abc import Callable

import pytest

from tests.client.history import Attempt, Frame, History, SentMessage
from tests.faults.checker import Block, check


class Conversation:
    """A run in the making: Ann has two devices, Bob one; each step is a frame as the server would send it."""

    def __init__(self) -> None:
        self.ann = History("usr-ann", "dev-ann")
        self.ann_phone = History("usr-ann", "dev-phone")
        self.bob = History("usr-bob", "dev-bob")
        self.histories = [self.ann, self.ann_phone, self.bob]
        for number in range(1, 21):
            sender, receiver = (self.ann, self.bob) if number % 2 else (self.bob, self.ann)
            self.send(sender, receiver.user_id, number)

    def send(self, sender: History, receiver_id: str, number: int) -> None:
        message = SentMessage(
            client_id=number, receiver_id=receiver_id, content=f"word {number}", submitted_at=float(number)
        )
        message.attempts.append(Attempt(at=float(number), connection=1))
        sender.sent[number] = message
        self.acknowledge(sender, number)
        for device in self.histories:
            if device.user_id == receiver_id:
                self.push(device, number, sender.user_id)
            elif device is not sender:
                self.push(device, number, sender.user_id, receiver_id=receiver_id)
        self.deliver(sender, number)

    def acknowledge(self, sender: History, number: int, **changes: object) -> None:
        frame = {"action": "message_received", "message_id_by_client": number, "message_id": f"msg-{number}"}
        sender.record(frame | {"sequence": number} | changes, at=number + 0.1, connection=1)

    def push(self, device: History, number: int, sender_id: str, **changes: object) -> None:
        frame: Frame = {
            "action": "incoming_message",
            "message_id": f"msg-{number}",
            "sender_id": sender_id,
            "content": f"word {number}",
            "sequence": number,
            "timestamp": number,
        }
        device.record({**frame, **changes}, at=number + 0.2, connection=1)

    def deliver(self, sender: History, number: int) -> None:
        frame = {"action": "message_delivered", "message_id": f"msg-{number}"}
        for device in self.histories:
            if device is sender:
                device.record(frame | {"message_id_by_client": number}, at=number + 0.3, connection=1)
            elif device.user_id == sender.user_id:
                device.record(frame, at=number + 0.3, connection=1)


def lose_a_message(run: Conversation) -> None:
    del run.bob.shown["msg-7"]


def lose_the_sender_s_own_copy(run: Conversation) -> None:
    del run.ann_phone.shown["msg-7"]


def store_a_retry_twice(run: Conversation) -> None:
    run.push(run.bob, 7, "usr-ann", message_id="msg-70", sequence=70)


def swap_two_arrivals(run: Conversation) -> None:
    shown = run.bob.shown
    order = list(shown)
    i, j = order.index("msg-7"), order.index("msg-9")
    order[i], order[j] = order[j], order[i]
    run.bob.shown = {key: shown[key] for key in order}


def drop_the_receipt(run: Conversation) -> None:
    run.ann.sent[7].delivered_at = None


def drop_the_other_device_s_receipt(run: Conversation) -> None:
    run.ann_phone.delivered_ids.remove("msg-7")


def drop_the_acknowledgement_and_the_receipt(run: Conversation) -> None:
    run.ann.sent[7].acknowledgements.clear()
    run.ann.sent[7].delivered_at = None


def give_the_sender_another_sequence(run: Conversation) -> None:
    run.acknowledge(run.ann, 19, sequence=23)


def give_the_sender_another_id(run: Conversation) -> None:
    run.acknowledge(run.ann, 7, message_id="msg-70")


def give_one_sequence_twice(run: Conversation) -> None:
    run.acknowledge(run.ann, 7, sequence=8)
    run.bob.shown["msg-7"].sequence = 8


def append_a_later_frame_first(run: Conversation) -> None:
    for history in run.histories:
        if "msg-7" in history.shown:
            history.shown["msg-7"].sequence, history.shown["msg-9"].sequence = 9, 7
    run.acknowledge(run.ann, 7, sequence=9)
    run.acknowledge(run.ann, 9, sequence=7)


def show_what_nobody_sent(run: Conversation) -> None:
    run.push(run.bob, 99, "usr-ann")


def show_it_as_somebody_else_s(run: Conversation) -> None:
    run.bob.shown["msg-7"].sender_id = "usr-eve"


def change_the_words_of_a_repeat(run: Conversation) -> None:
    run.push(run.bob, 7, "usr-ann", content="other words")


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (lose_a_message, "lost"),
        (lose_the_sender_s_own_copy, "lost"),
        (store_a_retry_twice, "doubled"),
        (swap_two_arrivals, "disordered"),
        (drop_the_receipt, "no ✓✓"),
        (drop_the_other_device_s_receipt, "no ✓✓"),
        (drop_the_acknowledgement_and_the_receipt, "no ✓"),
        (give_the_sender_another_sequence, "two orders"),
        (give_the_sender_another_id, "two ids"),
        (give_one_sequence_twice, "shared sequence"),
        (append_a_later_frame_first, "overtaken"),
        (show_what_nobody_sent, "invented"),
        (show_it_as_somebody_else_s, "invented"),
        (change_the_words_of_a_repeat, "changed"),
    ],
)
def test_a_planted_fault_is_found(plant: Callable[[Conversation], None], kind: str) -> None:
    run = Conversation()
    plant(run)
    report = check(run.histories)
    assert kind in {finding.kind for finding in report.findings}
    assert "BROKEN" in report.text()


def test_a_clean_run_is_clean_and_says_how_much_it_saw() -> None:
    report = check(Conversation().histories, waiting={"inbox:{usr-bob}:dev-bob": 0})
    assert report.is_clean, report.text()
    assert (report.counts["sent"], report.counts["delivered"], report.counts["shown"]) == (20, 20, 40)


def test_an_entry_left_in_an_inbox_is_found() -> None:
    report = check(Conversation().histories, waiting={"inbox:{usr-bob}:dev-bob": 2})
    assert [finding.kind for finding in report.findings] == ["left in an inbox"]


def test_a_repeat_with_the_same_words_is_no_fault() -> None:
    run = Conversation()
    run.push(run.bob, 7, "usr-ann")
    report = check(run.histories)
    assert report.is_clean
    assert report.counts["repeats dropped"] == 1


def test_a_withdrawn_message_need_not_arrive() -> None:
    run = Conversation()
    lose_a_message(run)
    drop_the_receipt(run)
    error = {"action": "error", "code": "forbidden", "message": "blocked", "message_id": "msg-7"}
    run.ann.record(error, at=9.0, connection=1)
    block = Block(owner_id="usr-bob", person_id="usr-ann", asked_at=0.0, since=8.0).ends(8.5, 9.5)
    assert check(run.histories, blocks=[block]).is_clean, check(run.histories, blocks=[block]).text()
    assert {finding.kind for finding in check(run.histories).findings} == {"refused"}, "there was no block"


def test_a_message_may_be_withdrawn_when_its_device_has_logged_out() -> None:
    run = Conversation()
    error = {"action": "error", "code": "forbidden", "message": "", "message_id": "msg-7"}
    lose_a_message(run)
    del run.ann_phone.shown["msg-7"]
    run.ann.sent[7].delivered_at = None
    run.ann.logged_out_at = 30.0
    assert not check(run.histories).is_clean
    run.ann_phone.record(error, at=40.0, connection=1)
    block = Block(owner_id="usr-bob", person_id="usr-ann", asked_at=0.0, since=8.0).ends(8.5, 9.5)
    assert check(run.histories, blocks=[block]).is_clean, check(run.histories, blocks=[block]).text()
    assert {finding.kind for finding in check(run.histories).findings} == {"refused"}, "there was no block"


def test_a_device_that_logged_out_may_hold_an_outdated_sequence() -> None:
    run = Conversation()
    run.ann.sent[7].attempts.append(Attempt(at=7.5, connection=1))
    run.acknowledge(run.ann, 7, sequence=70)
    assert not check(run.histories).is_clean
    run.ann.logged_out_at = 30.0
    assert check(run.histories).is_clean, check(run.histories).text()


def test_a_device_that_logged_out_may_hold_an_outdated_id() -> None:
    run = Conversation()
    run.ann.sent[7].attempts.append(Attempt(at=7.5, connection=1))
    run.acknowledge(run.ann, 7, message_id="msg-70")
    assert {finding.kind for finding in check(run.histories).findings} == {"two ids", "no ✓✓"}
    run.ann.logged_out_at = 30.0
    rows = [row(number) for number in range(1, 21)]
    assert check(run.histories, end_state={"now_ms": 1, "rows": rows}).is_clean


def test_what_can_be_tried_again_withdraws_nothing() -> None:
    run = Conversation()
    lose_a_message(run)
    drop_the_receipt(run)
    error = {"action": "error", "code": "unavailable", "message": "", "message_id": "msg-7"}
    run.ann.record(error, at=9.0, connection=1)
    (finding,) = check(run.histories).findings
    assert (finding.kind, "unavailable" in finding.detail) == ("withdrawn", True)


def test_what_others_hear_withdraws_nothing() -> None:
    run = Conversation()
    lose_a_message(run)
    error = {"action": "error", "code": "forbidden", "message": "", "message_id": "msg-7"}
    run.bob.record(error, at=9.0, connection=1)
    assert {finding.kind for finding in check(run.histories).findings} == {"lost", "false ✓✓", "withdrawn"}


def test_a_finding_tells_the_story_of_its_message_in_the_order_of_time() -> None:
    run = Conversation()
    lose_the_sender_s_own_copy(run)
    (finding,) = (one for one in check(run.histories).findings if one.kind == "lost")
    steps = ["'word 7' (msg-7)", "0.0 s written on dev-ann", "0.1 s ✓ as msg-7, 7", "0.2 s at dev-bob", "0.3 s ✓✓"]
    places = [finding.detail.index(step) for step in steps]
    assert places == sorted(places)
    assert "never came to dev-phone" in finding.detail


def test_a_block_that_was_over_long_before_explains_nothing() -> None:
    run = Conversation()
    error = {"action": "error", "code": "forbidden", "message": "blocked", "message_id_by_client": 7}
    run.ann.record(error, at=9.0, connection=1)
    block = Block(owner_id="usr-bob", person_id="usr-ann", asked_at=0.0, since=1.0).ends(2.0, 3.0)
    assert "refused" in {finding.kind for finding in check(run.histories, blocks=[block]).findings}


def test_what_was_written_under_a_block_must_not_arrive() -> None:
    run = Conversation()
    block = Block(owner_id="usr-bob", person_id="usr-ann", asked_at=6.0, since=6.5).ends(7.5, 8.0)
    (finding,) = check(run.histories, blocks=[block]).findings
    assert finding.kind == "no right"
    assert "word 7" in finding.detail


def test_a_message_may_come_to_a_device_that_logged_in_later_and_need_not_if_another_has_it() -> None:
    run = Conversation()
    late = History("usr-bob", "dev-late")
    late.logged_in_at = 10.5
    run.histories.append(late)
    for number in range(11, 21, 2):
        run.push(late, number, "usr-ann")
        run.push(late, number + 1, "usr-bob", receiver_id="usr-ann")
        late.record({"action": "message_delivered", "message_id": f"msg-{number + 1}"}, at=number + 1.4, connection=1)
    assert check(run.histories).is_clean, check(run.histories).text()
    del late.shown["msg-13"]
    (finding,) = check(run.histories).findings
    assert (finding.kind, "dev-late" in finding.detail) == ("lost", True)


def test_a_device_that_logged_out_misses_nothing_and_gets_nothing() -> None:
    run = Conversation()
    run.ann_phone.logged_out_at = 10.0
    for number in range(10, 21):
        run.ann_phone.shown.pop(f"msg-{number}", None)
    assert check(run.histories).is_clean, check(run.histories).text()
    run.push(run.ann_phone, 12, "usr-bob")
    assert {finding.kind for finding in check(run.histories).findings} == {"no right"}


def test_what_only_later_devices_could_get_is_lost_if_none_got_it() -> None:
    run = Conversation()
    run.bob.logged_in_at = 7.5
    del run.bob.shown["msg-7"]
    kinds = {finding.kind for finding in check(run.histories).findings}
    assert kinds == {"lost", "false ✓✓"}


def row(number: int, **changes: object) -> dict[str, object]:
    """A row of the Message DB as it is long after the delivery."""
    found: dict[str, object] = {"message_id": f"msg-{number}", "has_content": False, "undelivered": False}
    found |= {"pending_devices": [], "own_devices": [], "history_for": []}
    return found | {"refusal": "", "expires_at_ms": 10_000} | changes


def remains(*changed: dict[str, object], **changes: object) -> dict[str, object]:
    """The end state of a clean run, but for these rows."""
    rows = {f"msg-{number}": row(number) for number in range(1, 21)} | {str(one["message_id"]): one for one in changed}
    return {"now_ms": 5_000, "inboxes": {}, "dead_letters": 0, "rows": list(rows.values())} | changes


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (remains(row(7, has_content=True)), "kept"),
        (remains(row(7, has_content=True, refusal="forbidden", history_for=["usr-ann"])), "kept"),
        (remains(row(7, has_content=True, history_for=["usr-ann"], expires_at_ms=4_000)), "kept"),
        (remains(row(7, has_content=True, history_for=["usr-ann"]), keeping_nothing=["usr-ann"]), "kept"),
        (remains(row(7, pending_devices=["dev-bob"])), "pending for ever"),
        (remains(row(8, pending_devices=["dev-ann"])), "pending for ever"),
        (remains(row(7, undelivered=True)), "pending for ever"),
        (remains(inboxes={"inbox:{usr-bob}:dev-bob": 1}), "left in an inbox"),
        (remains(dead_letters=2), "dead letter"),
        (remains() | {"rows": []}, "no row"),
    ],
)
def test_what_is_wrong_in_the_end_state_is_found(document: dict[str, object], kind: str) -> None:
    report = check(Conversation().histories, end_state=document)
    assert {finding.kind for finding in report.findings} == {kind}


@pytest.mark.parametrize(
    "document",
    [
        remains(),
        remains(row(7, has_content=True, history_for=["usr-ann"])),
        remains(row(7, has_content=True, history_for=["usr-ann"]), keeping_nothing=["usr-bob"]),
        remains(row(7, has_content=True, pending_devices=["dev-elsewhere"])),
        remains(row(99, has_content=True, undelivered=True)),
        remains(inboxes={"inbox:{usr-else}:dev-else": 1, "inbox:{usr-bob}:dev-bob": 0}),
    ],
)
def test_an_end_state_as_it_should_be_is_clean(document: dict[str, object]) -> None:
    report = check(Conversation().histories, end_state=document)
    assert report.is_clean, report.text()


def test_after_a_sweep_nothing_waits_for_a_device_that_logged_out() -> None:
    run = Conversation()
    gone = History("usr-bob", "dev-gone")
    gone.logged_out_at = 1.0
    waiting = remains(row(7, own_devices=["dev-gone"]))
    assert check([*run.histories, gone], end_state=waiting).is_clean
    swept = check([*run.histories, gone], end_state=waiting | {"is_swept": True})
    assert [finding.kind for finding in swept.findings] == ["pending for ever"]
    assert check([*run.histories, gone], end_state=remains(is_swept=True)).is_clean


def test_the_same_words_sent_twice_cannot_be_judged() -> None:
    run = Conversation()
    run.ann.sent[9].content = "word 7"
    with pytest.raises(ValueError, match="cannot be judged"):
        check(run.histories)
