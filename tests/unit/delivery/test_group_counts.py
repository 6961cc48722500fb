"""Counts of who has a message only grow, and whoever wrote it hears of each, wherever a count was cut off."""

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from apps.delivery import group_counts, group_sweep
from apps.delivery.deliver import deliver_changes
from apps.delivery.group_counts import count_message
from apps.delivery.group_due import mark_due, note_telling, take_due
from apps.delivery.group_keys import counting_key
from apps.delivery.group_members import load_members
from apps.delivery.group_sweep import COUNT_CURSOR_KEY, sweep_counts
from apps.messagestore.groups import GroupRow
from apps.protocol.ids import new_group_id
from apps.protocol.records import MessageRetried
from apps.valkey.pools import ValkeyError, sync_client

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)
FIRST, SECOND = f"msg-{1:016x}", f"msg-{2:016x}"


def words(circle: "Circle", number: int) -> bool:
    """Whether a message still has its content."""
    return f"msg-{number:016x}" in circle.store.list_bodies([f"msg-{number:016x}"])


def confirm_all(circle: "Circle", *numbers: int) -> None:
    """Every device that a message of Ada's went to."""
    for user_id, device_id in (
        (circle.ada, circle.ada2),
        (circle.bob, circle.bob1),
        (circle.bob, circle.bob2),
        (circle.cyd, circle.cyd1),
    ):
        circle.confirm(user_id, device_id, *numbers)


def test_the_sender_hears_of_each_count_on_all_devices(circle: "Circle") -> None:
    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    assert circle.count() == 1
    assert circle.counts(circle.ada1) == circle.counts(circle.ada2) == {FIRST: (1, 2)}
    circle.confirm(circle.cyd, circle.cyd1, 1)
    circle.count()
    assert circle.counts(circle.ada1) == {FIRST: (2, 2)}
    assert circle.counts(circle.bob1) == {}, "nobody else hears of it"


def test_a_user_counts_once_however_many_devices_have_it_and_the_senders_own_not_at_all(circle: "Circle") -> None:
    circle.send(1)
    for user_id, device_id in ((circle.bob, circle.bob1), (circle.bob, circle.bob2), (circle.ada, circle.ada2)):
        circle.confirm(user_id, device_id, 1)
    circle.count()
    assert circle.counts(circle.ada1) == {FIRST: (1, 2)}


def test_who_asks_again_is_told_by_the_count_and_not_by_what_the_relay_read_before_it(circle: "Circle") -> None:
    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    circle.count()
    circle.bus.pushes.clear()
    question = MessageRetried(message_id=FIRST, sender_id=circle.ada, sender_device=circle.ada1)
    again = circle.message(1, message_id=f"msg-{9:016x}")
    for record in (question, again):
        stored = circle.relay(record)
        assert circle.counts(circle.ada1) == {}, "it may have grown since this was read"
        assert stored.hints.to_tell == {circle.group_id: {FIRST}}
        assert stored.hints.to_count == {circle.group_id: circle.standing(1).sequence}
        note_telling(circle.group_id, [FIRST])
        circle.count()
        assert circle.counts(circle.ada1) == {FIRST: (1, 2)}


def test_what_has_not_changed_is_not_told_again(circle: "Circle") -> None:
    circle.send(1, 2)
    circle.confirm(circle.bob, circle.bob1, 1)
    circle.count()
    circle.bus.pushes.clear()
    assert circle.count() == 0
    circle.confirm(circle.bob, circle.bob2, 1, 2)
    circle.count()
    assert circle.counts(circle.ada1) == {SECOND: (1, 2)}


def test_a_count_never_falls_though_a_member_with_it_is_no_more(circle: "Circle") -> None:
    from apps.accounts.models import User

    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    circle.count()
    circle.bus.pushes.clear()
    User.objects.get(pk=circle.bob).delete()
    circle.count()
    assert (circle.counts(circle.ada1), circle.standing(1).delivered_count) == ({}, 1)
    circle.confirm(circle.cyd, circle.cyd1, 1)
    circle.count()
    assert circle.standing(1).delivered_count == 1


def test_a_message_goes_when_nobody_waits_for_it_and_nobody_keeps_it(circle: "Circle") -> None:
    circle.send(1)
    confirm_all(circle, 1)
    assert words(circle, 1)
    circle.count()
    assert not words(circle, 1)
    assert (circle.standing(1).undelivered, circle.standing(1).delivered_count) == (False, 2)
    assert circle.counts(circle.ada1) == {FIRST: (2, 2)}


@pytest.mark.parametrize("missing", ["ada2", "bob2"])
def test_every_device_is_waited_for(circle: "Circle", missing: str) -> None:
    circle.send(1)
    devices = {"ada2": (circle.ada, circle.ada2), "bob2": (circle.bob, circle.bob2)}
    others = [*devices.values(), (circle.bob, circle.bob1), (circle.cyd, circle.cyd1)]
    for user_id, device_id in others:
        if device_id != devices[missing][1]:
            circle.confirm(user_id, device_id, 1)
    circle.count()
    assert circle.standing(1).delivered_count == 2
    assert not circle.standing(1).undelivered
    assert words(circle, 1)
    circle.confirm(*devices[missing], 1)
    circle.count()
    assert not words(circle, 1)


def test_what_somebody_keeps_stays_and_is_no_longer_counted(circle: "Circle") -> None:
    from apps.accounts.services import update_settings

    update_settings(circle.cyd, device_id=circle.cyd1, history_days=90)
    circle.send(1)
    confirm_all(circle, 1)
    circle.count()
    assert words(circle, 1)
    assert circle.store.groups.list_waiting({circle.group_id: 0}) == []


def test_who_has_left_holds_up_no_double_tick_but_is_waited_for(circle: "Circle") -> None:
    circle.send(1)
    circle.relay(circle.change("left", circle.cyd, circle.cyd))
    for user_id, device_id in ((circle.ada, circle.ada2), (circle.bob, circle.bob1), (circle.bob, circle.bob2)):
        circle.confirm(user_id, device_id, 1)
    circle.count()
    assert (circle.standing(1).undelivered, circle.standing(1).delivered_count) == (False, 1)
    assert words(circle, 1)
    circle.confirm(circle.cyd, circle.cyd1, 1)
    circle.count()
    assert circle.counts(circle.ada1)[FIRST] == (2, 2)
    assert not words(circle, 1)


def test_a_message_that_is_for_nobody_goes_and_nobody_is_told_of_a_count(circle: "Circle") -> None:
    other = new_group_id()
    circle.relay(circle.change("created", circle.cyd, group_id=other, name="Alone"))
    circle.relay(circle.message(1, group_id=other, sender_id=circle.cyd, sender_device=circle.cyd1))
    assert sweep_counts(circle.bus) == 1
    assert circle.counts(circle.cyd1) == {}
    assert not words(circle, 1)


def test_what_nobody_confirmed_since_is_not_read_again(circle: "Circle", monkeypatch: pytest.MonkeyPatch) -> None:
    """A group may have a member who has been away for weeks: all that waits for them is not read once a second."""
    circle.send(1, 2, 3)
    read: list[int] = []
    list_waiting = circle.store.groups.list_waiting

    def note_rows(above: Mapping[str, int]) -> list[GroupRow]:
        rows: list[GroupRow] = list_waiting(above)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(circle.store.groups, "list_waiting", note_rows)
    for user_id, device_id, number in ((circle.bob, circle.bob1, 2), (circle.bob, circle.bob2, 3)):
        mark_due(circle.confirm(user_id, device_id, number).hints.to_count)
        circle.count()
    assert read == [2, 1]
    assert circle.counts(circle.ada1) == {SECOND: (1, 2), f"msg-{3:016x}": (1, 2)}
    sweep_counts(circle.bus)
    assert read == [2, 1, 3]


def test_who_leaves_makes_all_of_the_group_be_counted(circle: "Circle") -> None:
    circle.send(1, 2)
    confirm_all(circle, 2)
    circle.count()
    left = circle.relay(circle.change("left", circle.cyd, circle.cyd))
    assert left.hints.to_count == {circle.group_id: 0}
    assert circle.relay(circle.change("renamed", circle.ada, name="Chess")).hints.to_count == {}


def test_a_round_of_counts_that_takes_long_goes_on_with_the_next_run(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    others = sorted(new_group_id() for _ in range(3))
    for number, other in enumerate(others, 1):
        circle.relay(circle.change("created", circle.cyd, group_id=other, name="Alone"))
        circle.relay(circle.message(number, group_id=other, sender_id=circle.cyd, sender_device=circle.cyd1))
    monkeypatch.setattr(group_sweep, "COUNT_SECONDS", 0.0)
    assert [sweep_counts(circle.bus) for _ in others] == [1, 1, 1]
    assert not any(words(circle, number) for number in (1, 2, 3))


def test_who_left_before_what_is_counted_is_not_looked_at(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.change("left", circle.cyd, circle.cyd), circle.message(2))
    circle.relay(circle.change("removed", circle.ada, circle.bob), circle.message(3))
    circle.relay(circle.change("joined", circle.ada, circle.cyd), circle.message(4))
    looked_at = [
        set(load_members(circle.store, circle.group_id, circle.standing(number).sequence).spells)
        for number in (1, 2, 3, 4)
    ]
    everybody = {circle.ada, circle.bob, circle.cyd}
    assert looked_at == [everybody, everybody, {circle.ada, circle.cyd}, {circle.ada, circle.cyd}], "cyd came back"


class KilledError(BaseException):
    """The end of the process, as no handler sees it coming."""


@pytest.mark.parametrize("end", [KilledError, KeyError])
def test_a_run_that_ends_at_a_group_does_not_keep_the_others_waiting(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    others = sorted(new_group_id() for _ in range(2))
    for number, other in enumerate(others, 1):
        circle.relay(circle.change("created", circle.cyd, group_id=other, name="Alone"))
        circle.relay(circle.message(number, group_id=other, sender_id=circle.cyd, sender_device=circle.cyd1))

    def fail_at_the_first(store: Any, group_id: str, lowest: int) -> Any:
        if group_id == others[0]:
            raise end
        return load_members(store, group_id, lowest)

    monkeypatch.setattr(group_counts, "load_members", fail_at_the_first)
    for _ in range(2):
        with contextlib.suppress(KilledError):
            sweep_counts(circle.bus)
    assert not words(circle, 2)
    assert words(circle, 1)


def test_a_lost_cache_changes_no_count(circle: "Circle") -> None:
    from django.conf import settings

    circle.send(1, 2)
    circle.confirm(circle.bob, circle.bob1, 1, 2)
    circle.count()
    sync_client(settings.REDIS_URL).flushall()
    circle.confirm(circle.cyd, circle.cyd1, 1)
    assert circle.count() == 1
    assert [circle.standing(number).delivered_count for number in (1, 2)] == [2, 1]
    told = [one for one in circle.drain(circle.ada, circle.ada1) if one["action"] == "message_delivered"]
    assert {one["message_id"]: one["delivered"] for one in told} == {FIRST: 2, SECOND: 1}


@pytest.mark.parametrize("everybody", [False, True])
def test_a_count_that_is_cut_off_before_it_was_told_is_told_the_next_time(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch, everybody: bool
) -> None:
    """It stands in the Message DB by then, where nothing seems to be left to do."""

    def fail(*args: Any) -> int:
        raise ValkeyError("cut off")

    circle.send(1, 2)
    if everybody:
        confirm_all(circle, 1)
    circle.confirm(circle.bob, circle.bob1, 1)
    with monkeypatch.context() as patch:
        patch.setattr(group_counts, "deliver_changes", fail)
        with pytest.raises(ValkeyError):
            circle.count()
    assert circle.counts(circle.ada1) == {}
    circle.count()
    assert circle.counts(circle.ada1) == {FIRST: (2, 2) if everybody else (1, 2)}
    circle.bus.pushes.clear()
    circle.count()
    assert circle.counts(circle.ada1) == {}, "and only once"


def test_a_count_that_was_cut_off_is_due_again_whoever_asked_for_it(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.delivery import group_due

    def fail(*args: Any) -> int:
        raise ValkeyError("cut off")

    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    monkeypatch.setattr(group_due, "COUNT_MS", 1)
    with monkeypatch.context() as patch:
        patch.setattr(group_counts, "deliver_changes", fail)
        with pytest.raises(ValkeyError):
            sweep_counts(circle.bus)
    time.sleep(0.005)
    assert take_due() == [circle.group_id]
    circle.count()
    assert circle.counts(circle.ada1) == {FIRST: (1, 2)}


def test_only_one_count_of_a_group_is_under_way_and_what_it_did_not_see_is_due_a_moment_later(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.delivery import group_due

    nested: list[int] = []

    def tell_meanwhile(*args: Any) -> int:
        if not nested:
            circle.confirm(circle.cyd, circle.cyd1, 1)
            nested.append(circle.count())
        return deliver_changes(*args)

    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    monkeypatch.setattr(group_counts, "deliver_changes", tell_meanwhile)
    monkeypatch.setattr(group_due, "AGAIN_MS", -1)
    circle.count()
    assert nested == [0]
    assert circle.counts(circle.ada1) == {FIRST: (1, 2)}
    assert take_due() == [circle.group_id]
    circle.count()
    assert circle.counts(circle.ada1) == {FIRST: (2, 2)}


def test_a_count_that_was_held_up_for_long_does_not_have_the_last_word(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Its lease has run out, and another one has told what is true by now."""
    nested: list[int] = []

    def tell_late(*args: Any) -> int:
        if not nested:
            nested.append(1)
            sync_client(settings.REDIS_URL).delete(counting_key(circle.group_id))
            circle.confirm(circle.cyd, circle.cyd1, 1)
            circle.count()
        return deliver_changes(*args)

    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    monkeypatch.setattr(group_counts, "deliver_changes", tell_late)
    circle.count()
    told = [
        (one["delivered"], one["members"])
        for one in circle.drain(circle.ada, circle.ada1)
        if one["action"] == "message_delivered"
    ]
    assert told == [(2, 2)]


def test_a_device_that_is_gone_is_waited_for_no_longer(circle: "Circle") -> None:
    from apps.accounts.services import revoke_device
    from apps.delivery.tasks import forget_device

    circle.send(1)
    for user_id, device_id in ((circle.ada, circle.ada2), (circle.bob, circle.bob1), (circle.cyd, circle.cyd1)):
        circle.confirm(user_id, device_id, 1)
    revoke_device(circle.bob, circle.bob2, "logged_out")
    forget_device(circle.bob, circle.bob2)
    circle.count()
    assert not words(circle, 1)


def test_the_sweep_gives_a_device_that_was_away_for_long_an_inbox_of_its_own_when_it_is_back(
    circle: "Circle", settings: Any
) -> None:
    """Nothing is put into the inbox of a device that is not waited for: it must not be taken for whole later."""
    from datetime import timedelta

    from django.utils import timezone

    from apps.accounts.models import Device

    circle.send(1)
    away = timezone.now() - timedelta(days=settings.DEVICE_STALE_DAYS + 1)
    Device.objects.filter(pk=circle.cyd1).update(last_seen_at=away)
    circle.send(2)
    sweep_counts(circle.bus)
    Device.objects.filter(pk=circle.cyd1).update(last_seen_at=timezone.now())
    assert [one for one in circle.drained(circle.cyd, circle.cyd1) if "hello" in one] == ["hello 1", "hello 2"]
    circle.relay(circle.message(3))
    circle.fan_out()
    assert circle.contents(circle.cyd1) == ["hello 3"]


def test_the_sweep_counts_group_after_group_and_begins_again(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    from apps.delivery import group_sweep

    monkeypatch.setattr(group_sweep, "COUNTED", 1)
    other = new_group_id()
    circle.relay(circle.change("created", circle.ada, circle.bob, group_id=other, name="Other"))
    circle.relay(circle.message(1), circle.message(2, group_id=other))
    circle.confirm(circle.bob, circle.bob1, 1, 2)
    assert [sweep_counts(circle.bus) for _ in range(3)] == [1, 1, 0]
    assert [circle.standing(number).delivered_count for number in (1, 2)] == [1, 1]
    assert sync_client(settings.REDIS_URL).get(COUNT_CURSOR_KEY) is None


def test_how_far_a_message_has_come_is_told_as_it_is_now(circle: "Circle") -> None:
    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    assert count_message(circle.standing(1)) == {"delivered": 1, "members": 2, "read": 0}
    circle.relay(circle.read(circle.bob, circle.bob1, 1))
    confirm_all(circle, 1)
    circle.count()
    assert count_message(circle.standing(1)) == {"delivered": 2, "members": 2, "read": 1}


def test_where_a_group_is_polled_it_is_not_said_how_many_have_read(circle: "Circle", settings: Any) -> None:
    circle.send(1)
    circle.relay(circle.read(circle.bob, circle.bob1, 1))
    settings.GROUP_PUSH_LIMIT = 3
    circle.relay(circle.change("joined", circle.ada, circle.dee))
    circle.relay(circle.message(2), circle.read(circle.bob, circle.bob1, 2))
    assert count_message(circle.standing(1)) == {"delivered": 0, "members": 2}
    assert count_message(circle.standing(2)) == {"delivered": 0, "members": 3}


def test_only_whoever_got_a_message_has_read_it_and_only_who_lets_others_see_it(circle: "Circle") -> None:
    from apps.accounts.services import update_settings

    circle.relay(circle.message(1), circle.change("joined", circle.ada, circle.dee), circle.message(2))
    circle.relay(
        circle.read(circle.dee, circle.dee1, 2),
        circle.read(circle.bob, circle.bob1, 2),
        circle.read(circle.cyd, circle.cyd1, 2),
    )
    update_settings(circle.cyd, device_id=circle.cyd1, read_receipts=False)
    assert [count_message(circle.standing(number))["read"] for number in (1, 2)] == [1, 2]
