"""The judges of the groups' flow find each fault that is planted into a clean run, and none in the clean run."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.client.history import Attempt, GroupEvent, History, SentMessage
from tests.faults.checker.groups import find_in_group, list_stays
from tests.flows.group_views import count_kinds, find_in_views

GROUP = "grp-1"
ANN, BOB, CY, DAN = "usr-ann", "usr-bob", "usr-cy", "usr-dan"
EVENTS = {1: ("created", (ANN, BOB, CY)), 4: ("joined", (DAN,)), 7: ("removed", (CY,))}
WRITTEN = {2: ANN, 3: BOB, 5: ANN, 6: DAN, 8: BOB, 9: ANN}
"""Place → who wrote there."""


class Run:
    """Ann, who has two devices, Bob and Cy are a group; Dan joins, Cy is removed, and everybody but Cy writes."""

    def __init__(self) -> None:
        self.ann, self.bob, self.cy, self.dan = (History(one, f"dev{one[3:]}") for one in (ANN, BOB, CY, DAN))
        self.phone = History(ANN, "dev-phone")
        self.histories = [self.ann, self.phone, self.bob, self.cy, self.dan]
        self.members = {ANN, BOB, DAN}
        for place in range(1, 10):
            for device in self.histories:
                if place in EVENTS and self.is_there(device.user_id, place, at_its_ends=True):
                    self.tell(device, place)
                elif place in WRITTEN and self.is_there(device.user_id, place) and device is not self.writer(place):
                    self.push(device, place)
            if place in WRITTEN:
                self.write(place)

    @staticmethod
    def is_there(user_id: str, place: int, *, at_its_ends: bool = False) -> bool:
        first, last = (4 if user_id == DAN else 1), (7 if user_id == CY else 99)
        return first <= place <= last if at_its_ends else first < place < last

    def writer(self, place: int) -> History:
        return next(one for one in self.histories if one.user_id == WRITTEN[place])

    def write(self, place: int) -> None:
        sender = self.writer(place)
        message = SentMessage(client_id=place, receiver_id=GROUP, content=f"word {place}", submitted_at=float(place))
        message.attempts.append(Attempt(at=float(place), connection=1))
        sender.sent[place] = message
        named = {"message_id_by_client": place, "message_id": f"msg-{place}"}
        sender.record({"action": "message_received", "sequence": place} | named, at=place, connection=1)
        receivers = sum(self.is_there(one, place) for one in (ANN, BOB, CY, DAN)) - 1
        for count in range(1, receivers + 1):
            counts = {"action": "message_delivered", "delivered": count, "members": receivers}
            sender.record(counts | named, at=place, connection=1)

    def push(self, device: History, place: int, **changes: object) -> None:
        frame = {
            "action": "incoming_message",
            "message_id": f"msg-{place}",
            "sender_id": WRITTEN.get(place, ANN),
            "group_id": GROUP,
            "content": f"word {place}",
            "sequence": place,
            "timestamp": place,
        }
        device.record(frame | changes, at=place, connection=1)

    def tell(self, device: History, place: int, **changes: object) -> None:
        kind, user_ids = EVENTS[place]
        frame = {"action": "group_event", "group_id": GROUP, "event_id": f"evt-{place}", "kind": kind}
        device.record(frame | {"user_ids": user_ids, "sequence": place} | changes, at=place, connection=1)

    def change_event(self, device: History, place: int, **changes: object) -> None:
        event: GroupEvent = device.group_events[f"evt-{place}"]
        device.group_events[event.event_id] = replace(event, **changes)  # type: ignore[arg-type]

    def find_as_the_checker(self) -> list[str]:
        stays = list_stays(GROUP, self.ann.group_events.values())
        return [finding.kind for finding in find_in_group(GROUP, self.histories, stays)]

    def find_in_views(self) -> list[str]:
        return list(find_in_views(GROUP, self.histories, self.members))


def move_to_the_end(history: History, place: int) -> None:
    history.shown[f"msg-{place}"] = history.shown.pop(f"msg-{place}")


def tell_fewer(run: Run, counts: Sequence[tuple[int, int]]) -> None:
    run.ann.sent[9].delivered_counts[:] = counts


CHECKED: list[tuple[str, Callable[[Run], object], set[str]]] = [
    ("lost at one device", lambda run: run.bob.shown.pop("msg-5"), {"lost"}),
    ("lost at the sender's other device", lambda run: run.phone.shown.pop("msg-9"), {"lost"}),
    ("lost for who was removed later", lambda run: run.cy.shown.pop("msg-6"), {"lost"}),
    ("lost for who came just before", lambda run: run.dan.shown.pop("msg-5"), {"lost"}),
    ("stored twice", lambda run: run.push(run.bob, 9, message_id="msg-10", sequence=10), {"doubled", "two orders"}),
    ("out of order", lambda run: move_to_the_end(run.bob, 5), {"disordered"}),
    (
        "one order here, another there",
        lambda run: run.push(run.phone, 8, message_id="msg-x", sequence=20),
        {"two orders"},
    ),
    ("from before one joined", lambda run: run.push(run.dan, 3), {"no right"}),
    ("from after one was removed", lambda run: run.push(run.cy, 8), {"no right"}),
    ("to the device that sent it", lambda run: run.push(run.ann, 9), {"no right"}),
    ("after one's removal was told", lambda run: run.change_event(run.cy, 7, shown_before=3), {"disordered"}),
    ("never counted", lambda run: tell_fewer(run, []), {"no ✓✓"}),
    ("not counted to the end", lambda run: tell_fewer(run, [(1, 2)]), {"no ✓✓"}),
    ("of too many members", lambda run: tell_fewer(run, [(3, 3)]), {"no ✓✓"}),
    ("a count that fell", lambda run: tell_fewer(run, [(2, 2), (1, 2), (2, 2)]), {"count fell"}),
]
SEEN: list[tuple[str, Callable[[Run], object], str]] = [
    ("event lost at one device", lambda run: run.bob.group_events.pop("evt-4"), "missing [('joined'"),
    ("one's own joining lost", lambda run: run.dan.group_events.pop("evt-4"), "missing [('joined'"),
    ("one's own removal lost", lambda run: run.cy.group_events.pop("evt-7"), "missing [('removed'"),
    (
        "a joining of which nobody heard",
        lambda run: [one.group_events.pop("evt-4", 0) for one in run.histories],
        "members by",
    ),
    ("event from before one joined", lambda run: run.tell(run.dan, 1), "not theirs [('created'"),
    ("told in two ways", lambda run: run.change_event(run.bob, 4, kind="left"), "in two ways"),
    ("at two places", lambda run: run.change_event(run.bob, 4, sequence=5), "in two ways"),
    ("a removal that nobody heard of", lambda run: run.members.discard(BOB), "members by the events"),
    ("a member whom nobody let in", lambda run: run.members.add("usr-eve"), "members by the events"),
    ("events swapped", lambda run: run.change_event(run.ann, 4, sequence=8), "came after"),
    ("too early among the messages", lambda run: run.change_event(run.bob, 7, shown_before=1), "on the wrong side"),
    ("too late among the messages", lambda run: run.change_event(run.bob, 4, shown_before=3), "on the wrong side"),
    ("two at one place", lambda run: run.push(run.bob, 9, message_id="msg-y", sequence=8), "at one place"),
    ("words that nobody wrote", lambda run: run.push(run.bob, 10, message_id="msg-z", sequence=10), "who wrote that"),
    ("words of another", lambda run: run.push(run.cy, 8, sender_id=DAN), "who wrote that"),
    ("other words under an id", lambda run: run.push(run.bob, 9, content="other"), "with other words"),
]


def test_a_clean_run_is_clean() -> None:
    run = Run()
    assert (run.find_as_the_checker(), run.find_in_views()) == ([], [])
    assert count_kinds(GROUP, run.histories) == Counter(kind for kind, _ in EVENTS.values())


@pytest.mark.parametrize(("plant", "kinds"), [row[1:] for row in CHECKED], ids=[row[0] for row in CHECKED])
def test_the_checker_finds_what_is_planted(plant: Callable[[Run], object], kinds: set[str]) -> None:
    run = Run()
    plant(run)
    assert set(run.find_as_the_checker()) >= kinds


@pytest.mark.parametrize(("plant", "words"), [row[1:] for row in SEEN], ids=[row[0] for row in SEEN])
def test_what_devices_heard_is_held_against_each_other(plant: Callable[[Run], object], words: str) -> None:
    run = Run()
    plant(run)
    assert any(words in finding for finding in run.find_in_views()), run.find_in_views()
