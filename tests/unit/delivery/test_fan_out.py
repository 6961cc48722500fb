"""Fan-out: each device gets each message once, by the log's order, wherever it was cut off before."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from apps.delivery import fan_out as fan_out_module
from apps.delivery.deliver import deliver_changes
from apps.delivery.fan_out import CHANGE_WAIT_MS, fan_out
from apps.delivery.group_keys import fan_out_key
from apps.delivery.group_members import load_members
from apps.delivery.group_sweep import sweep_behind
from apps.inbox import inbox
from apps.inbox.inbox import Change
from apps.protocol.ids import new_group_id
from apps.valkey.pools import ValkeyError, sync_client

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


def everybody(circle: "Circle") -> list[tuple[str, str]]:
    """All devices of members."""
    return [
        (circle.ada, circle.ada1),
        (circle.ada, circle.ada2),
        (circle.bob, circle.bob1),
        (circle.bob, circle.bob2),
        (circle.cyd, circle.cyd1),
    ]


def test_every_device_but_the_senders_own_gets_a_message_once(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.by_bob(2))
    assert circle.fan_out() == 2
    got = {device_id: circle.contents(device_id) for _, device_id in everybody(circle)}
    assert got == {
        circle.ada1: ["hello 2"],
        circle.ada2: ["hello 1", "hello 2"],
        circle.bob1: ["hello 1"],
        circle.bob2: ["hello 1", "hello 2"],
        circle.cyd1: ["hello 1", "hello 2"],
    }
    assert circle.fan_out() == 0
    assert circle.bus.pushes == []
    assert circle.contents(circle.dee1) == []


def test_a_frame_names_the_group_and_nobody_as_its_receiver(circle: "Circle") -> None:
    circle.relay(circle.message(1))
    circle.fan_out()
    for device_id in (circle.ada2, circle.bob1):
        (frame,) = circle.bus.frames(device_id)
        assert (frame["group_id"], frame["sender_id"], frame["sequence"]) == (
            circle.group_id,
            circle.ada,
            circle.standing(1).sequence,
        )
        assert "receiver_id" not in frame


def test_who_joined_later_or_left_before_gets_nothing_of_it(circle: "Circle") -> None:
    circle.relay(
        circle.message(1),
        circle.change("joined", circle.ada, circle.dee),
        circle.change("left", circle.cyd, circle.cyd),
        circle.message(2),
        circle.change("joined", circle.ada, circle.cyd),
        circle.message(3),
    )
    circle.fan_out()
    assert circle.contents(circle.dee1) == ["hello 2", "hello 3"]
    assert circle.contents(circle.cyd1) == ["hello 1", "hello 3"]
    assert circle.contents(circle.bob1) == ["hello 1", "hello 2", "hello 3"]


def test_the_event_that_removes_somebody_is_the_last_they_hear(circle: "Circle") -> None:
    circle.relay(
        circle.message(1),
        circle.change("renamed", circle.ada, name="Chess"),
        circle.message(2),
        circle.change("removed", circle.ada, circle.cyd),
        circle.change("renamed", circle.ada, name="Go"),
        circle.message(3),
    )
    circle.fan_out()
    frames = circle.bus.frames(circle.cyd1)
    told = [one["kind"] for one in frames if one["action"] == "group_event"]
    changed = [one["version"] for one in frames if one["action"] == "group_changed"]
    assert told == ["renamed", "removed"]
    assert changed == [2], "of what the group is by then they hear nothing"
    assert circle.events(circle.bob1) == ["renamed", "removed", "renamed"]


def test_who_joins_hears_of_it_themselves_and_of_nothing_before(circle: "Circle") -> None:
    circle.relay(
        circle.change("renamed", circle.ada, name="Chess"),
        circle.change("joined", circle.ada, circle.dee),
        circle.change("renamed", circle.ada, name="Go"),
    )
    circle.fan_out()
    assert circle.events(circle.dee1) == ["joined", "renamed"]


def test_messages_and_events_come_in_the_order_of_the_log(circle: "Circle") -> None:
    circle.relay(
        circle.message(1),
        circle.change("renamed", circle.ada, name="Chess"),
        circle.message(2),
        circle.change("described", circle.ada, description="Mondays"),
        circle.message(3),
    )
    circle.fan_out()
    assert circle.drained(circle.cyd, circle.cyd1)[1:] == ["hello 1", "renamed", "hello 2", "described", "hello 3"]


def test_the_event_by_which_a_group_is_polled_reaches_everybody_and_one_after_it_does_not(
    circle: "Circle", settings: Any
) -> None:
    settings.GROUP_PUSH_LIMIT = 3
    circle.relay(circle.message(1), circle.change("joined", circle.ada, circle.dee))
    circle.relay(circle.change("renamed", circle.ada, name="Crowd"))
    assert circle.fan_out() == 2
    frames = circle.bus.frames(circle.bob1)
    assert [one.get("content") or one.get("kind") or one["version"] for one in frames] == ["hello 1", "joined", 2]
    assert circle.events(circle.dee1) == ["joined"]


def test_who_has_no_device_gets_it_with_the_first_one(circle: "Circle") -> None:
    from apps.accounts.models import Device

    Device.objects.filter(user_id=circle.cyd).delete()
    circle.send(1)
    tablet = circle.log_in(circle.cyd)
    assert circle.drained(circle.cyd, tablet)[-1:] == ["hello 1"]


def test_a_group_of_which_nothing_is_stored_has_nothing_to_fan_out(circle: "Circle") -> None:
    assert fan_out(new_group_id(), circle.bus) == 0


class Cuts:
    """Cuts a fan-out off at one of its calls: before the call takes effect, or after."""

    def __init__(self, deliver: Callable[..., int]) -> None:
        self.at = -1
        self.after = False
        self.calls = 0
        self._deliver = deliver

    def __call__(self, changes: Sequence[Change], bus: Any) -> int:
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise ValkeyError("cut off")
        count = self._deliver(changes, bus)
        if self.calls == self.at:
            raise ValkeyError("cut off")
        return count


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 10))
def test_cut_off_anywhere_and_begun_again_nothing_is_lost_and_nothing_comes_to_who_has_confirmed_it(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch, at: int, after: bool
) -> None:
    monkeypatch.setattr(fan_out_module, "ROWS", 2)
    monkeypatch.setattr(fan_out_module, "SLICE", 3)
    cuts = Cuts(deliver_changes)
    monkeypatch.setattr(fan_out_module, "deliver_changes", cuts)
    circle.relay(
        circle.message(1),
        circle.by_bob(2),
        circle.change("removed", circle.ada, circle.cyd),
        circle.message(3),
        circle.message(4),
        circle.message(5),
    )
    cuts.at, cuts.after = at, after
    with pytest.raises(ValkeyError):
        circle.fan_out()
    first = circle.contents(circle.bob1)
    assert first == [f"hello {number}" for number in (1, 3, 4, 5)][: len(first)]
    circle.confirm(circle.bob, circle.bob1, *(int(one.split()[1]) for one in first))
    circle.bus.pushes.clear()
    circle.fan_out()
    assert circle.contents(circle.bob1) == [
        one for one in ("hello 1", "hello 3", "hello 4", "hello 5") if one not in first
    ]
    circle.bus.pushes.clear()
    got = circle.drained(circle.bob, circle.bob2)
    assert [one for one in got if "hello" in one] == [f"hello {number}" for number in range(1, 6)]
    got = [one for one in circle.drained(circle.cyd, circle.cyd1) if one != "created"]
    assert [one for one in got if one.startswith("hello")] == ["hello 1", "hello 2"]
    assert got[-1] == "removed"
    assert circle.progress().fanned_upto == circle.progress().stored_upto


def test_an_event_stays_among_the_messages_where_the_mark_was_not_raised(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    circle.relay(circle.message(1), circle.change("renamed", circle.ada, name="Chess"), circle.message(2))

    def fail(*_: object) -> None:
        raise ValkeyError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(type(circle.store.groups), "raise_fanned", fail)
        with pytest.raises(ValkeyError):
            circle.fan_out()
    assert circle.fan_out() == 3
    assert circle.drained(circle.cyd, circle.cyd1)[-3:] == ["hello 1", "renamed", "hello 2"]


def test_an_event_stays_among_the_messages_where_the_inbox_is_rebuilt_meanwhile(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    circle.relay(circle.message(1), circle.change("renamed", circle.ada, name="Chess"), circle.message(2))
    write_rebuilt = inbox.write_rebuilt

    def fan_out_before(*arguments: Any) -> str:
        assert circle.fan_out() == 3
        return write_rebuilt(*arguments)

    monkeypatch.setattr(inbox, "write_rebuilt", fan_out_before)
    circle.rebuild(circle.cyd, circle.cyd1)
    assert circle.drained(circle.cyd, circle.cyd1)[-3:] == ["hello 1", "renamed", "hello 2"]


def test_a_second_one_does_nothing_and_the_first_takes_what_came_meanwhile(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def deliver_meanwhile(changes: Sequence[Change], bus: Any) -> int:
        if not seen:
            circle.relay(circle.message(2))
            seen.append(circle.fan_out())
        return deliver_changes(changes, bus)

    circle.relay(circle.message(1))
    monkeypatch.setattr(fan_out_module, "deliver_changes", deliver_meanwhile)
    assert circle.fan_out() == 2
    assert seen == [0]
    assert circle.contents(circle.bob1) == ["hello 1", "hello 2"]


def test_what_comes_while_it_finds_nothing_to_do_is_not_left_behind(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one has just done it all. Whoever is asked for what is stored then finds the lease taken."""
    from apps.messagestore.models import Message

    raise_fanned = type(circle.store.groups).raise_fanned
    seen: list[int] = []

    def raise_meanwhile(store: Any, group_id: str, upto: int) -> None:
        raise_fanned(store, group_id, upto)
        if not seen:
            circle.relay(circle.message(2))
            seen.append(circle.fan_out())

    circle.relay(circle.message(1))
    Message.objects.filter(group_id=circle.group_id).delete()
    monkeypatch.setattr(type(circle.store.groups), "raise_fanned", raise_meanwhile)
    circle.fan_out()
    assert seen == [0]
    assert circle.contents(circle.bob1) == ["hello 2"]


def test_a_lease_that_was_left_behind_is_somebody_elses_until_it_runs_out(circle: "Circle") -> None:
    from django.conf import settings

    client = sync_client(settings.REDIS_URL)
    client.set(fan_out_key(circle.group_id), "killed", px=200)
    circle.relay(circle.message(1))
    assert circle.fan_out() == 0
    deadline = time.monotonic() + 5
    while client.exists(fan_out_key(circle.group_id)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert circle.fan_out() == 1
    assert not client.exists(fan_out_key(circle.group_id))


def test_who_has_lost_the_lease_stops_and_leaves_it_to_the_other(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    monkeypatch.setattr(fan_out_module, "ROWS", 1)
    client = sync_client(settings.REDIS_URL)

    def deliver_slowly(changes: Sequence[Change], bus: Any) -> int:
        client.set(fan_out_key(circle.group_id), "another's", px=60_000)
        return deliver_changes(changes, bus)

    circle.relay(circle.message(1), circle.message(2))
    monkeypatch.setattr(fan_out_module, "deliver_changes", deliver_slowly)
    assert circle.fan_out() == 1
    assert client.get(fan_out_key(circle.group_id)) == "another's"
    assert circle.contents(circle.bob1) == ["hello 1"]


def late_change(circle: "Circle", age_ms: int) -> tuple[str, Any]:
    """A message, a removal, a message; the removal stands in the Message DB and is not in force (any more)."""
    from apps.groups.models import Change as Settled
    from apps.groups.models import Member

    removal = replace(circle.change("removed", circle.ada, circle.cyd), timestamp_ms=int(time.time() * 1000) - age_ms)
    circle.relay(circle.message(1), removal, circle.message(2))
    settled = Settled.objects.get(pk=removal.event_id)
    settled.delete()
    Member.objects.filter(user_id=circle.cyd).update(to_sequence=None)
    settled.pk = removal.event_id
    return removal.event_id, settled


def test_it_does_not_run_ahead_of_an_event_that_is_not_in_force(circle: "Circle") -> None:
    from apps.groups.models import Member

    event_id, settled = late_change(circle, age_ms=0)
    assert circle.fan_out() == 1
    assert circle.contents(circle.cyd1) == ["hello 1"]
    assert circle.fan_out() == 0, "it waits there, and does not turn round and round"
    assert circle.progress().fanned_upto < circle.progress().stored_upto, "so a sweep looks again"
    settled.save(force_insert=True)
    Member.objects.filter(user_id=circle.cyd).update(to_sequence=settled.sequence)
    assert sweep_behind(circle.bus) == 2
    frames = circle.bus.frames(circle.cyd1)
    assert [one["event_id"] for one in frames if one["action"] == "group_event"] == [event_id]
    assert [one for one in frames if one["action"] == "incoming_message"] == [], "it is not for who was removed"
    assert circle.contents(circle.bob1) == ["hello 1", "hello 2"]


def test_an_event_of_a_users_database_that_was_put_back_is_told_to_nobody_and_holds_nobody_up(circle: "Circle") -> None:
    late_change(circle, age_ms=CHANGE_WAIT_MS + 1_000)
    circle.fan_out()
    assert circle.events(circle.bob2) == []
    assert circle.contents(circle.cyd1) == ["hello 1", "hello 2"], "who is a member, that database says"
    assert circle.progress().fanned_upto == circle.progress().stored_upto


def test_the_sweep_goes_on_with_what_was_never_asked_for(circle: "Circle") -> None:
    circle.relay(circle.message(1))
    assert sweep_behind(circle.bus) == 1
    assert circle.contents(circle.bob1) == ["hello 1"]
    assert sweep_behind(circle.bus) == 0


def test_one_group_that_fails_does_not_keep_the_others_waiting(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = new_group_id()
    circle.relay(circle.change("created", circle.ada, circle.bob, group_id=other, name="Other"))
    circle.relay(circle.message(1), circle.message(2, group_id=other))

    def load_or_fail(store: Any, group_id: str, lowest: int) -> Any:
        if group_id == circle.group_id:
            raise KeyError("version")
        return load_members(store, group_id, lowest)

    monkeypatch.setattr(fan_out_module, "load_members", load_or_fail)
    sweep_behind(circle.bus)
    assert circle.contents(circle.bob1) == ["hello 2"]
    assert circle.group_id in caplog.text


def test_a_device_that_an_inbox_was_made_for_meanwhile_gets_each_message_once(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.message(2))
    circle.rebuild(circle.bob, circle.bob1)
    circle.fan_out()
    assert circle.waiting(circle.bob, circle.bob1) == 2
    assert [one for one in circle.drained(circle.bob, circle.bob1) if "hello" in one] == ["hello 1", "hello 2"]


def test_a_new_device_does_not_get_what_its_user_has(circle: "Circle") -> None:
    circle.send(1, 2)
    circle.confirm(circle.bob, circle.bob1, 1)
    tablet = circle.log_in(circle.bob)
    circle.relay(circle.message(3))
    circle.fan_out()
    assert [one for one in circle.drained(circle.bob, tablet) if "hello" in one] == ["hello 2", "hello 3"]
    circle.confirm(circle.bob, circle.bob1, 2, 3)
    assert circle.has(circle.bob, tablet, 2, 3) == [False, False], "it is waited for, whatever the others have"
