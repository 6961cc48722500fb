"""Records of groups take effect in the log's order, once, and each message is judged by what stands before it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.messagelog.base import LogRecord, sequence_of
from apps.messagestore.base import StoreUnavailable
from apps.protocol.ids import new_group_id
from apps.protocol.records import Record, encode_record

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)
MESSAGE = f"msg-{1:016x}"
MODERATOR = "moderator"


def rows() -> list[Any]:
    """All that records of groups write, as it stands."""
    from apps.groups.models import Change, Group, Member
    from apps.messagestore.models import GroupPointer, GroupProgress, Message

    times = {"stored_at_ms", "expires_at_ms", "settled_at_ms"}
    messages = [{name: one for name, one in row.items() if name not in times} for row in Message.objects.values()]
    others = [
        one for model in (Member, Group, Change, GroupPointer, GroupProgress) for one in model.objects.order_by("pk")
    ]
    return [*sorted(messages, key=lambda row: str(row["id"])), *[sorted(vars(one).items())[1:] for one in others]]


def errors(circle: "Circle", device_id: str) -> list[tuple[str, str]]:
    """Late errors that a device was told."""
    return [(one["code"], one["message_id"]) for one in circle.bus.frames(device_id) if one["action"] == "error"]


def test_a_message_is_one_row_and_leaves_a_fan_out_to_do(circle: "Circle") -> None:
    stored = circle.relay(circle.message(1))
    standing = circle.standing(1)
    assert (standing.group_id, standing.receiver_id, standing.members) == (circle.group_id, "", 2)
    assert (standing.undelivered, standing.pending_devices, standing.own_devices) == (True, (), ())
    assert stored.changes == []
    assert stored.hints.to_fan_out == {circle.group_id}
    assert circle.progress().stored_upto == standing.sequence > circle.progress().fanned_upto


def test_a_message_after_a_change_is_judged_by_it_and_one_before_it_is_not(circle: "Circle") -> None:
    by_cyd = {"sender_id": circle.cyd, "sender_device": circle.cyd1}
    by_dee = {"sender_id": circle.dee, "sender_device": circle.dee1}
    circle.relay(
        circle.message(1, **by_cyd),
        circle.message(2, **by_dee),
        circle.change("removed", circle.ada, circle.cyd),
        circle.change("joined", circle.ada, circle.dee),
        circle.message(3, **by_cyd),
        circle.message(4, **by_dee),
    )
    refusals = [circle.standing(number).refusal for number in (1, 2, 3, 4)]
    assert refusals == ["", "not_a_member", "not_a_member", ""]
    assert errors(circle, circle.cyd1) == [("not_a_member", f"msg-{3:016x}")]
    assert errors(circle, circle.dee1) == [("not_a_member", f"msg-{2:016x}")]


def test_a_row_says_how_many_members_it_is_for_at_its_place_in_the_log(circle: "Circle") -> None:
    circle.relay(
        circle.message(1),
        circle.change("joined", circle.ada, circle.dee),
        circle.message(2),
        circle.change("removed", circle.ada, circle.bob, circle.cyd),
        circle.message(3),
    )
    assert [circle.standing(number).members for number in (1, 2, 3)] == [2, 3, 1]


def test_a_batch_that_is_replayed_makes_nothing_new(circle: "Circle") -> None:
    records = circle.append(
        circle.message(1),
        circle.change("joined", circle.ada, circle.dee),
        circle.by_bob(2),
        circle.change("renamed", circle.bob, name="Mine"),
        circle.change("removed", circle.ada, circle.cyd),
        circle.message(3, sender_id=circle.cyd, sender_device=circle.cyd1),
    )
    circle.settle(records)
    before, hints = rows(), circle.hints
    circle.fan_out()
    told = len(circle.bus.pushes)
    assert told
    for size in (1, 2, len(records)):
        for start in range(0, len(records), size):
            stored = circle.settle(records[start : start + size])
            assert stored.hints.to_fan_out <= hints.to_fan_out
    assert [
        row for row in rows() if row not in before and "fanned_upto" not in str(row) and "upto" not in str(row)
    ] == []
    circle.bus.pushes.clear()
    assert circle.fan_out() == 0
    assert circle.bus.pushes == []


def test_two_relays_with_the_same_records_do_what_one_does(circle: "Circle") -> None:
    """One has lost its partition and does not know it yet."""
    records = circle.append(
        circle.message(1),
        circle.change("removed", circle.ada, circle.cyd),
        circle.message(2),
        circle.change("joined", circle.ada, circle.cyd),
        circle.message(3),
    )
    circle.settle(records[:2])
    circle.settle(records)
    before = rows()
    circle.settle(records[1:4])
    assert rows() == before
    assert [circle.standing(number).members for number in (1, 2, 3)] == [2, 1, 2]
    assert circle.fan_out() == 5
    assert circle.contents(circle.cyd1) == ["hello 1", "hello 3"]


@pytest.mark.parametrize(
    ("kind", "back", "details", "undone", "mover"),
    [
        ("frozen", "unfrozen", {"reason": "spam"}, {}, MODERATOR),
        ("rules", "rules", {"only_admins_write": True}, {"only_admins_write": False}, ""),
    ],
)
def test_who_may_not_write_at_the_messages_place_hears_a_late_forbidden(
    circle: "Circle", kind: str, back: str, details: Any, undone: Any, mover: str
) -> None:
    circle.relay(
        circle.by_bob(1),
        circle.change(kind, mover or circle.ada, **details),
        circle.by_bob(2),
        circle.message(3),
        circle.change(back, mover or circle.ada, **undone),
        circle.by_bob(4),
    )
    by_the_owner = "forbidden" if kind == "frozen" else ""
    assert [circle.standing(number).refusal for number in (1, 2, 3, 4)] == ["", "forbidden", by_the_owner, ""]
    assert errors(circle, circle.bob1) == [("forbidden", f"msg-{2:016x}")]


def test_a_suspended_member_may_not_write(circle: "Circle") -> None:
    from apps.accounts.services import suspend_user

    suspend_user(circle.bob)
    circle.relay(circle.by_bob(1))
    assert circle.standing(1).refusal == "forbidden"


def test_a_message_to_no_group_is_refused(circle: "Circle") -> None:
    circle.relay(circle.message(1, group_id="grp-000000000000"))
    assert (circle.standing(1).refusal, circle.standing(1).members) == ("not_a_member", 0)
    assert circle.hints.to_fan_out == set()


def test_the_end_of_a_polled_group_is_told_to_who_ended_it_and_to_viewers_and_fanned_out_to_nobody(
    circle: "Circle", settings: Any
) -> None:
    settings.GROUP_PUSH_LIMIT = 2
    crowd = new_group_id()
    circle.relay(circle.change("created", circle.ada, circle.bob, circle.cyd, group_id=crowd, name="Crowd"))
    circle.bus.pushes.clear()
    records = circle.append(circle.change("deleted", circle.ada, group_id=crowd))
    for _ in range(2):
        hints = circle.settle(records).hints
        assert (hints.to_fan_out, list(hints.changed)) == (set(), [crowd])
    assert circle.events(circle.bob1) == []
    assert "deleted" in circle.events(circle.ada1)


def test_nobody_writes_to_a_group_that_was_deleted(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.change("deleted", circle.ada), circle.message(2))
    assert [circle.standing(number).refusal for number in (1, 2)] == ["", "not_a_member"]
    circle.fan_out()
    assert circle.contents(circle.bob1) == ["hello 1"]


def test_a_change_that_is_refused_is_told_to_nobody(circle: "Circle") -> None:
    before = circle.progress()
    refused = circle.change("renamed", circle.bob, name="Mine")
    stored = circle.relay(refused)
    assert (stored.changes, stored.hints.to_fan_out, stored.hints.changed) == ([], set(), {})
    assert circle.store.groups.list_events_by_id([refused.event_id]) == {}
    assert circle.progress() == before


def test_an_event_tells_what_came_of_its_change_and_no_number_of_an_invite(circle: "Circle") -> None:
    from apps.groups.services import create_invite

    _, token = create_invite(circle.group_id, circle.ada)
    assert token
    from apps.groups.models import Invite

    joined = circle.change("joined", circle.dee, circle.dee, invite=Invite.objects.get().pk)
    added = circle.change("joined", circle.ada, circle.bob, circle.dee)
    circle.relay(joined, added)
    (event,) = circle.store.groups.list_events_by_id([joined.event_id, added.event_id]).values()
    assert event.facts == {"kind": "joined", "by": circle.dee, "user_ids": [circle.dee], "details": {}, "version": 2}


def test_the_same_client_id_for_other_words_is_a_late_conflict_and_goes_to_nobody(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.message(2, client_id="i1", content="x"))
    assert errors(circle, circle.ada1) == [("conflict", f"msg-{2:016x}")]
    assert circle.fan_out() == 1
    assert circle.contents(circle.bob1) == ["hello 1"]


def test_a_repeat_of_a_message_is_dropped_and_its_sender_told_what_stands(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.message(1))
    circle.relay(circle.message(2, client_id="i1", digest="digest-1"))
    told = {(one["action"], one["message_id"], one["sequence"]) for one in circle.bus.frames(circle.ada1)}
    assert told == {("message_received", MESSAGE, circle.standing(1).sequence)}
    circle.fan_out()
    assert circle.contents(circle.bob1) == ["hello 1"]


def test_records_of_several_groups_in_one_batch_are_judged_each_in_its_own_order(circle: "Circle") -> None:
    other = new_group_id()
    circle.relay(circle.change("created", circle.bob, circle.ada, circle.cyd, group_id=other, name="Other"))
    circle.relay(
        circle.by_bob(1),
        circle.message(2, group_id=other),
        circle.change("removed", circle.ada, circle.bob),
        circle.by_bob(3),
        circle.by_bob(4, group_id=other),
        circle.change("removed", circle.bob, circle.ada, group_id=other),
        circle.message(5, group_id=other),
        circle.message(6),
        circle.change("joined", circle.bob, circle.ada, group_id=other),
        circle.change("joined", circle.ada, circle.bob),
        circle.message(7, group_id=other),
        circle.by_bob(8),
    )
    refused = {number for number in range(1, 9) if circle.standing(number).refusal}
    assert refused == {3, 5}
    assert circle.hints.to_fan_out == {circle.group_id, other}


def test_a_group_that_crosses_the_limit_is_polled_and_pushed_again_below_it(circle: "Circle", settings: Any) -> None:
    settings.GROUP_PUSH_LIMIT = 3
    stored = circle.relay(
        circle.message(1),
        circle.change("joined", circle.ada, circle.dee),
        circle.message(2),
    )
    assert [one.sequence for one in stored.hints.polled] == [circle.standing(2).sequence]
    assert stored.hints.changed == {circle.group_id: 2}
    assert stored.hints.to_fan_out == {circle.group_id}
    assert (circle.standing(1).undelivered, circle.standing(2).undelivered) == (True, False)
    assert circle.store.groups.list_last_polled(circle.group_id, 9) == [f"msg-{2:016x}"]
    assert circle.fan_out() == 2
    assert circle.contents(circle.bob1) == ["hello 1"]
    stored = circle.relay(circle.change("left", circle.cyd, circle.cyd), circle.message(3))
    assert (stored.hints.polled, stored.hints.changed, stored.hints.to_fan_out) == ([], {}, {circle.group_id})
    assert circle.fan_out() == 2
    assert circle.contents(circle.dee1) == ["hello 3"]
    circle.confirm(circle.bob, circle.bob1, 1, 3)
    assert circle.has(circle.bob, circle.bob1, 1, 3) == [True, True]
    assert circle.pointer(circle.bob).beyond == (), "what was polled in between holds nothing up"  # type: ignore[union-attr]


@pytest.fixture
def crowd(circle: "Circle", settings: Any) -> "Circle":
    """Return a group of Ada, Bob, Cyd and Dee that is polled, of which everybody has heard that."""
    settings.GROUP_PUSH_LIMIT = 2
    circle.relay(circle.change("joined", circle.ada, circle.dee))
    circle.fan_out()
    circle.bus.pushes.clear()
    return circle


def told(circle: "Circle") -> dict[str, list[str]]:
    """Of each device that was told anything, the kinds of events and the words for other frames."""
    devices = (circle.ada1, circle.ada2, circle.bob1, circle.bob2, circle.cyd1, circle.dee1)
    frames = {one: [each.get("kind") or each["action"] for each in circle.bus.frames(one)] for one in devices}
    return {device_id: kinds for device_id, kinds in frames.items() if kinds}


def test_in_a_polled_group_a_change_is_told_to_whom_it_concerns_at_once(crowd: "Circle") -> None:
    eve, eve1 = crowd.newcomer("eve")
    stored = crowd.relay(crowd.change("joined", crowd.ada, eve))
    assert (stored.hints.to_fan_out, stored.hints.changed) == (set(), {crowd.group_id: 3})
    assert crowd.events(eve1) == ["joined"]
    assert told(crowd) == {one: ["joined"] for one in (crowd.ada1, crowd.ada2)}
    crowd.bus.pushes.clear()
    crowd.relay(crowd.change("removed", crowd.ada, crowd.bob), crowd.change("left", crowd.dee, crowd.dee))
    assert told(crowd) == {
        **{one: ["removed"] for one in (crowd.ada1, crowd.ada2)},
        **{one: ["removed"] for one in (crowd.bob1, crowd.bob2)},
        crowd.dee1: ["left"],
    }
    assert crowd.fan_out() == 0, "and to nobody else"


def test_what_moderators_do_to_a_polled_group_is_told_to_whom_it_concerns_only(crowd: "Circle") -> None:
    crowd.relay(crowd.change("removed", MODERATOR, crowd.cyd))
    assert told(crowd) == {crowd.cyd1: ["removed"]}
    crowd.bus.pushes.clear()
    crowd.relay(crowd.change("frozen", MODERATOR, reason="spam"))
    assert told(crowd) == {}


def test_a_replay_tells_of_a_polled_group_again_what_it_told_and_no_inbox_has_it_twice(crowd: "Circle") -> None:
    records = crowd.append(
        crowd.change("removed", crowd.ada, crowd.bob),
        crowd.change("joined", crowd.ada, crowd.bob),
        crowd.change("removed", crowd.ada, crowd.bob),
    )
    crowd.settle(records)
    before = rows(), crowd.drained(crowd.bob, crowd.bob1)
    assert before[1][-3:] == ["removed", "joined", "removed"]
    for size in (1, 3):
        crowd.settle(records[:size])
        assert (rows(), crowd.drained(crowd.bob, crowd.bob1)) == before
        assert crowd.drain(crowd.bob, crowd.bob1)[-1]["action"] == "group_event", "the last they hear of it"


def test_the_event_by_which_a_group_is_polled_is_pushed_though_the_relay_was_cut_off_and_it_shrank_since(
    circle: "Circle", settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.relay import pipeline

    settings.GROUP_PUSH_LIMIT = 3
    eve, _ = circle.newcomer("eve")
    records = circle.append(
        circle.change("joined", circle.ada, circle.dee),
        circle.change("joined", circle.ada, eve),
        circle.change("removed", circle.ada, circle.dee),
        circle.change("removed", circle.ada, eve),
        circle.change("joined", circle.ada, eve, circle.dee),
    )

    def fail(*_: object) -> None:
        raise StoreUnavailable("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "settle_reads", fail)
        with pytest.raises(StoreUnavailable):
            circle.settle(records)
    circle.settle(records)
    assert circle.fan_out() == 3
    assert circle.events(circle.cyd1) == ["joined", "removed", "joined"]


def test_a_polled_message_that_is_replayed_is_asked_for_again_and_one_that_was_refused_is_not(
    circle: "Circle", settings: Any
) -> None:
    settings.GROUP_PUSH_LIMIT = 3
    circle.relay(circle.change("joined", circle.ada, circle.dee))
    records = circle.append(circle.message(1), circle.message(2, sender_id="usr-0123456789ab"), circle.message(1))
    polled = circle.settle(records).hints.polled
    assert [one.sequence for one in polled] == [records[0].sequence]
    assert circle.settle(records).hints.polled == polled, "the cache may not have heard of it"


def test_who_keeps_history_when_a_message_comes_keeps_it(circle: "Circle") -> None:
    from apps.accounts.services import update_settings

    update_settings(circle.bob, device_id=circle.bob1, history_days=90)
    update_settings(circle.dee, device_id=circle.dee1, history_days=90)
    circle.relay(circle.message(1), circle.change("joined", circle.ada, circle.dee), circle.message(2))
    kept = [set(circle.store.trace(f"msg-{number:016x}").history_for) for number in (1, 2)]
    assert kept == [{circle.bob}, {circle.bob, circle.dee}]


def test_what_is_in_force_already_when_its_batch_is_begun_again_does_not_change_the_rows_before_it(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes are committed at once, in the users' database; the Message DB's part of the batch may be lost."""
    from apps.accounts.services import update_settings
    from apps.relay import pipeline

    update_settings(circle.bob, device_id=circle.bob1, history_days=90)
    update_settings(circle.dee, device_id=circle.dee1, history_days=90)
    records = circle.append(
        circle.message(1),
        circle.change("joined", circle.ada, circle.dee),
        circle.message(2),
        circle.change("removed", circle.ada, circle.bob),
        circle.message(3),
        circle.change("joined", circle.ada, circle.bob),
        circle.message(4),
    )

    def fail(*args: Any) -> Any:
        raise StoreUnavailable("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "settle_reads", fail)
        with pytest.raises(StoreUnavailable):
            circle.settle(records)
    assert circle.store.list_standings([MESSAGE]) == {}
    circle.settle(records)
    assert [circle.standing(number).members for number in (1, 2, 3, 4)] == [2, 3, 2, 3]
    assert [circle.standing(number).refusal for number in (1, 2, 3, 4)] == [""] * 4
    first, second, _, fourth = [set(circle.store.trace(f"msg-{number:016x}").history_for) for number in (1, 2, 3, 4)]
    assert (first, second, fourth) == ({circle.bob}, {circle.bob, circle.dee}, {circle.bob, circle.dee})


def withdraw(circle: "Circle", record: LogRecord) -> Any:
    from apps.delivery.deliver import deliver_changes

    stored = circle.world.pipeline.withdraw(record)
    deliver_changes(stored.changes, circle.bus)
    return stored


def test_a_message_that_cannot_be_processed_is_withdrawn_with_a_late_failed(circle: "Circle") -> None:
    (record,) = circle.append(circle.message(1))
    stored = withdraw(circle, record)
    assert errors(circle, circle.ada1) == [("failed", MESSAGE)]
    assert (circle.standing(1).refusal, stored.hints.to_fan_out) == ("failed", set())
    assert circle.fan_out() == 0


def test_a_message_that_was_stored_before_it_could_not_be_processed_stands(circle: "Circle") -> None:
    (record,) = circle.append(circle.message(1))
    circle.settle([record])
    withdraw(circle, record)
    assert errors(circle, circle.ada1) == []
    circle.fan_out()
    assert circle.contents(circle.bob1) == ["hello 1"]


def test_a_change_that_cannot_be_processed_is_given_up_in_silence(circle: "Circle") -> None:
    (record,) = circle.append(circle.change("exploded", circle.ada))
    with pytest.raises(ValueError, match="exploded"):
        circle.settle([record])
    assert withdraw(circle, record).changes == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["joined", "left", "message"]), st.integers(1, 3), st.integers(0, 1)), max_size=25
)


@given(steps=STEPS, size=st.integers(2, 25))
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_large_batch_brings_about_what_its_records_do_one_by_one(
    circle: "Circle", steps: Sequence[tuple[str, int, int]], size: int
) -> None:
    people = [circle.ada, circle.bob, circle.cyd, circle.dee]

    def relay(first: int, size: int) -> list[tuple[str, int]]:
        groups = [new_group_id(), new_group_id()]
        records: list[Record] = [
            circle.change("created", circle.ada, circle.bob, group_id=one, name="New") for one in groups
        ]
        numbers = range(first, first + len(steps))
        for number, (kind, person, group) in zip(numbers, steps, strict=True):
            user_id, group_id = people[person], groups[group]
            by = circle.ada if kind == "joined" else user_id
            records.append(
                circle.message(number, group_id=group_id, sender_id=user_id)
                if kind == "message"
                else circle.change(kind, by, user_id, group_id=group_id)
            )
        log = circle.append(*records)
        for start in range(0, len(log), size):
            circle.settle(log[start : start + size])
        sent = [number for number, (kind, *_) in zip(numbers, steps, strict=True) if kind == "message"]
        return [(circle.standing(number).refusal, circle.standing(number).members) for number in sent]

    first = 1_000 + 100 * len(circle.log)
    assert relay(first, 1) == relay(first + 50, size)


def test_a_record_is_found_at_its_own_sequence_though_other_partitions_come_between(circle: "Circle") -> None:
    """A batch holds what several partitions had: the sequence is the record's, not its place in the batch."""
    other = new_group_id()
    created = circle.change("created", circle.bob, circle.ada, group_id=other, name="Other")
    batch = [
        LogRecord(partition=5, position=900, sequence=sequence_of(1, 900), payload=encode_record(created).decode()),
        *circle.append(circle.message(1)),
        LogRecord(
            partition=5,
            position=901,
            sequence=sequence_of(1, 901),
            payload=encode_record(circle.message(2, group_id=other)).decode(),
        ),
    ]
    circle.settle(batch)
    assert [circle.standing(number).sequence for number in (1, 2)] == [batch[1].sequence, batch[2].sequence]
    assert [circle.standing(number).refusal for number in (1, 2)] == ["", ""]
