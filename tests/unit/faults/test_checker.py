"""The checker finds every fault that is planted into a clean run, and none in the clean run."""

from collections.abc import Callable

import pytest

from tests.client.history import Attempt, Frame, History, SentMessage
from tests.faults.checker import check


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
    assert {finding.kind for finding in check(run.histories).findings} <= {"invented"}


def test_the_same_words_sent_twice_cannot_be_judged() -> None:
    run = Conversation()
    run.ann.sent[9].content = "word 7"
    with pytest.raises(ValueError, match="cannot be judged"):
        check(run.histories)
