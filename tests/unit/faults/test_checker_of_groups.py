"""What the checker says of a group: each fault that is planted into a clean run, and none where none can be known."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.client.history import Attempt, History, SentMessage
from tests.faults.checker.groups import Stay, find_in_group
from tests.faults.checker.report import Finding

GROUP = "grp-1"
STAYS = {user_id: [Stay(start=0, end=None)] for user_id in ("usr-ann", "usr-bob")}


class GroupRun:
    """Ann has two devices, Bob one; the first of Ann's writes three messages, and everybody gets them."""

    def __init__(self) -> None:
        self.ann = History("usr-ann", "dev-ann")
        self.ann_phone = History("usr-ann", "dev-phone")
        self.bob = History("usr-bob", "dev-bob")
        for number in range(1, 4):
            self.send(number)

    def send(self, number: int) -> None:
        message = SentMessage(client_id=number, receiver_id=GROUP, content=f"word {number}", submitted_at=float(number))
        message.attempts.append(Attempt(at=float(number), connection=1))
        self.ann.sent[number] = message
        told = {"message_id_by_client": number, "message_id": f"msg-{number}"}
        self.ann.record({"action": "message_received", "sequence": number} | told, at=number + 0.1, connection=1)
        for device in (self.ann_phone, self.bob):
            self.push(device, number)
        delivered = {"action": "message_delivered", "delivered": 1, "members": 1}
        self.ann.record(delivered | told, at=number + 0.3, connection=1)

    def push(self, device: History, number: int, **changes: object) -> None:
        frame = {
            "action": "incoming_message",
            "message_id": f"msg-{number}",
            "sender_id": "usr-ann",
            "group_id": GROUP,
            "content": f"word {number}",
            "sequence": number,
            "timestamp": number,
        }
        device.record(frame | changes, at=number + 0.2, connection=1)

    def lose(self, number: int) -> None:
        """It reaches nobody."""
        for device in (self.ann_phone, self.bob):
            del device.shown[f"msg-{number}"]
        self.ann.sent[number].delivered_counts.clear()

    def find(self, rows: Sequence[dict[str, Any]] = ()) -> list[Finding]:
        return list(find_in_group(GROUP, [self.ann, self.ann_phone, self.bob], STAYS, rows))

    def kinds(self, rows: Sequence[dict[str, Any]] = ()) -> set[str]:
        return {finding.kind for finding in self.find(rows)}


def late_error(number: int) -> dict[str, object]:
    return {"action": "error", "code": "not_a_member", "message": "", "message_id": f"msg-{number}"}


def row(number: int, **changes: object) -> dict[str, Any]:
    """A row of the Message DB."""
    found = {"message_id": f"msg-{number}", "sender_device": "dev-ann", "client_id": f"i{number}", "refusal": ""}
    return found | changes


def test_a_clean_run_is_clean() -> None:
    assert GroupRun().find() == []


def test_what_never_came_is_lost() -> None:
    run = GroupRun()
    del run.bob.shown["msg-2"]
    assert run.kinds() == {"lost"}


def test_a_withdrawn_message_need_not_arrive() -> None:
    run = GroupRun()
    run.lose(2)
    assert run.kinds() == {"lost", "no ✓✓"}
    run.ann.record(late_error(2), at=9.0, connection=1)
    assert run.find() == []


def test_a_message_may_be_withdrawn_when_its_device_has_logged_out() -> None:
    run = GroupRun()
    run.lose(2)
    run.ann.logged_out_at = 8.0
    assert run.kinds() == {"lost"}
    run.ann_phone.record(late_error(2), at=9.0, connection=1)
    assert run.find() == []


def test_what_others_hear_withdraws_nothing() -> None:
    run = GroupRun()
    run.lose(2)
    run.bob.record(late_error(2), at=9.0, connection=1)
    assert "lost" in run.kinds()


@pytest.mark.parametrize(
    "refused",
    [
        row(2, refusal="not_a_member"),
        row(2, refusal="not_a_member", message_id="msg-20"),
        row(2, refusal="conflict", client_id="i2msg-2"),
    ],
    ids=["as it knows it", "under another id", "as a conflict"],
)
def test_a_device_that_logged_out_may_not_have_heard_what_the_message_db_says(refused: dict[str, Any]) -> None:
    run = GroupRun()
    run.lose(2)
    rows = [row(1), refused, row(3)]
    assert "lost" in run.kinds(rows), "who is there is told"
    run.ann.logged_out_at = 8.0
    assert run.find(rows) == []
    assert run.kinds([row(1), row(2), row(3)]) == {"lost"}


def test_a_device_that_logged_out_may_hold_an_outdated_sequence() -> None:
    run = GroupRun()
    told = {"action": "message_received", "message_id_by_client": 2, "message_id": "msg-2", "sequence": 20}
    run.ann.record(told, at=8.0, connection=1)
    assert run.kinds() == {"two orders"}
    run.ann.logged_out_at = 8.0
    assert run.find() == []


@pytest.mark.parametrize(
    ("number", "changes", "kind"),
    [
        (1, {"message_id": "msg-10", "sequence": 10}, "doubled"),
        (3, {"message_id": "msg-30", "content": "another", "sequence": 2}, "disordered"),
    ],
)
def test_what_came_twice_or_out_of_order_is_found(number: int, changes: dict[str, object], kind: str) -> None:
    run = GroupRun()
    run.push(run.bob, number, **changes)
    assert kind in run.kinds()


def test_what_came_to_who_was_no_member_is_found() -> None:
    run = GroupRun()
    run.push(run.bob, 4, sequence=0, content="before")
    assert "no right" in run.kinds()
