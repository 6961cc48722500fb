"""An inbox made anew holds of its user's groups what the device has to confirm, and events among it in their order."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from apps.messagestore.groups import GroupRow
from apps.protocol.ids import new_group_id

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


def flush() -> None:
    from django.conf import settings

    from apps.valkey.pools import sync_client

    sync_client(settings.INBOX_REDIS_URL).flushall()


def hellos(circle: "Circle", user_id: str, device_id: str) -> list[str]:
    """Words of messages that a device gets that connects now."""
    return [one for one in circle.drained(user_id, device_id) if "hello" in one]


def test_after_a_flush_each_device_has_what_it_has_not_confirmed(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.by_bob(2), circle.message(3))
    circle.fan_out()
    circle.confirm(circle.bob, circle.bob1, 3)
    circle.confirm(circle.ada, circle.ada2, 1)
    flush()
    got = {
        device_id: hellos(circle, user_id, device_id)
        for user_id, device_id in (*circle.world.devices(), (circle.cyd, circle.cyd1), (circle.dee, circle.dee1))
    }
    assert got == {
        circle.ada1: ["hello 2"],
        circle.ada2: ["hello 2", "hello 3"],
        circle.bob1: ["hello 1"],
        circle.bob2: ["hello 1", "hello 2", "hello 3"],
        circle.cyd1: ["hello 1", "hello 2", "hello 3"],
        circle.dee1: [],
    }


def test_events_stand_among_messages_in_the_order_of_the_log(circle: "Circle") -> None:
    """Whatever the clocks said."""
    renamed = circle.change("renamed", circle.ada, name="Chess")
    circle.relay(
        circle.message(1, timestamp_ms=1_764_000_009_000),
        replace(renamed, timestamp_ms=1_764_000_001_000),
        circle.message(2, timestamp_ms=1_764_000_005_000),
        circle.change("removed", circle.ada, circle.cyd),
        circle.message(3),
        circle.change("renamed", circle.ada, name="Go"),
    )
    flush()
    assert circle.drained(circle.cyd, circle.cyd1) == ["created", "hello 1", "renamed", "hello 2", "removed"]
    assert circle.drained(circle.bob, circle.bob1)[-2:] == ["hello 3", "renamed"]


def test_what_was_stored_and_not_fanned_out_is_in_it_and_comes_once(circle: "Circle") -> None:
    circle.relay(circle.message(1))
    flush()
    assert hellos(circle, circle.bob, circle.bob1) == ["hello 1"]
    circle.fan_out()
    assert circle.waiting(circle.bob, circle.bob1) == 1


def test_a_new_device_gets_what_no_device_of_its_user_has_and_is_waited_for_from_then_on(circle: "Circle") -> None:
    circle.send(1, 2, 3)
    circle.confirm(circle.bob, circle.bob1, 1, 3)
    tablet = circle.log_in(circle.bob)
    assert hellos(circle, circle.bob, tablet) == ["hello 2"]
    circle.confirm(circle.bob, circle.bob1, 2)
    assert circle.has(circle.bob, tablet, 1, 2, 3) == [True, False, True]
    circle.rebuild(circle.bob, tablet)
    assert hellos(circle, circle.bob, tablet) == ["hello 2"]


def test_a_rebuild_leaves_none_of_the_users_devices_without_what_came_before_the_fan_out(circle: "Circle") -> None:
    """The first device to be rebuilt may confirm before the fan-out comes to the others."""
    other = new_group_id()
    circle.relay(circle.change("created", circle.ada, circle.bob, group_id=other, name="Other"))
    circle.relay(circle.message(1, group_id=other), circle.message(2, group_id=other))
    circle.rebuild(circle.bob, circle.bob1)
    circle.confirm(circle.bob, circle.bob1, 1, 2)
    circle.rebuild(circle.bob, circle.bob2)
    assert hellos(circle, circle.bob, circle.bob2) == ["hello 1", "hello 2"]


def test_a_confirmation_too_leaves_no_device_behind(circle: "Circle") -> None:
    """One that logged in before the message, and has not connected, has no pointer yet."""
    from apps.accounts.services import log_in_device

    tablet = log_in_device(circle.world.user(circle.bob), "tablet")[0].pk
    circle.relay(circle.message(1))
    circle.confirm(circle.bob, circle.bob1, 1)
    circle.fan_out()
    assert hellos(circle, circle.bob, tablet) == ["hello 1"]


def test_what_is_stored_while_the_inbox_is_made_comes_after_it_whole(
    circle: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two reads an event and the message before it are stored: not the one in the inbox without the other."""
    circle.relay(circle.message(1))
    list_waiting = circle.store.groups.list_waiting

    def read_and_be_overtaken(above: Mapping[str, int]) -> list[GroupRow]:
        rows: list[GroupRow] = list_waiting(above)
        monkeypatch.undo()
        circle.relay(circle.message(2), circle.change("removed", circle.ada, circle.bob))
        return rows

    monkeypatch.setattr(circle.store.groups, "list_waiting", read_and_be_overtaken)
    circle.rebuild(circle.bob, circle.bob1)
    assert circle.drained(circle.bob, circle.bob1)[-1] == "hello 1"
    circle.fan_out()
    assert circle.drained(circle.bob, circle.bob1)[-3:] == ["hello 1", "hello 2", "removed"]


def test_who_has_left_still_gets_what_was_theirs(circle: "Circle") -> None:
    circle.relay(circle.message(1), circle.change("left", circle.cyd, circle.cyd), circle.message(2))
    flush()
    assert circle.drained(circle.cyd, circle.cyd1) == ["created", "hello 1", "left"]


def test_who_was_in_no_group_gets_nothing_of_any(circle: "Circle") -> None:
    circle.send(1)
    flush()
    assert circle.drain(circle.dee, circle.dee1) == []


def test_messages_of_people_and_of_groups_stand_together_by_their_time(circle: "Circle") -> None:
    other = new_group_id()
    circle.relay(circle.change("created", circle.cyd, circle.bob, group_id=other, name="Other"))
    by_cyd = {"sender_id": circle.cyd, "sender_device": circle.cyd1}
    circle.relay(circle.message(1), circle.message(3), circle.message(4, group_id=other, **by_cyd))
    circle.relay(circle.world.message(2), circle.world.message(5))
    flush()
    assert hellos(circle, circle.bob, circle.bob2) == [f"hello {number}" for number in (1, 2, 3, 4, 5)]


def test_the_versions_of_the_groups_come_with_it(circle: "Circle") -> None:
    """What changed may have been missed: the client fetches a group that has another version than it knows."""
    circle.relay(circle.change("renamed", circle.ada, name="Chess"), circle.change("left", circle.cyd, circle.cyd))
    flush()
    told: dict[str, list[Any]] = {}
    for user_id, device_id in ((circle.bob, circle.bob1), (circle.cyd, circle.cyd1)):
        frames = circle.drain(user_id, device_id)
        told[device_id] = [one["version"] for one in frames if one["action"] == "group_changed"]
    assert told == {circle.bob1: [3], circle.cyd1: []}


def test_the_counts_of_own_messages_come_back_too(circle: "Circle") -> None:
    circle.send(1)
    circle.confirm(circle.bob, circle.bob1, 1)
    circle.count()
    flush()
    (told,) = [one for one in circle.drain(circle.ada, circle.ada1) if one["action"] == "message_delivered"]
    assert (told["delivered"], told["members"], told["message_id_by_client"]) == (1, 2, 1)


def test_of_a_group_that_is_polled_nothing_stands_in_an_inbox(circle: "Circle", settings: Any) -> None:
    settings.GROUP_PUSH_LIMIT = 3
    circle.relay(
        circle.change("joined", circle.ada, circle.dee),
        circle.message(1),
        circle.change("renamed", circle.ada, name="Chess"),
    )
    flush()
    assert circle.drained(circle.bob, circle.bob1) == []
    circle.fan_out()
    assert circle.drained(circle.bob, circle.bob2) == []


def test_of_a_group_that_is_polled_a_device_hears_how_its_user_came_and_went(circle: "Circle", settings: Any) -> None:
    settings.GROUP_PUSH_LIMIT = 2
    crowd = new_group_id()
    now_ms = int(time.time() * 1000)
    circle.relay(
        *[
            replace(change, timestamp_ms=now_ms)
            for change in (
                circle.change("created", circle.ada, circle.bob, circle.cyd, circle.dee, group_id=crowd, name="Crowd"),
                circle.change("renamed", circle.ada, group_id=crowd, name="Big"),
                circle.change("removed", circle.ada, circle.bob, group_id=crowd),
                circle.change("renamed", circle.ada, group_id=crowd, name="Bigger"),
            )
        ]
    )
    flush()
    assert circle.drained(circle.bob, circle.bob1)[-2:] == ["created", "removed"]
    assert circle.drained(circle.dee, circle.dee1) == ["created"]


# -- drains ----------------------------------------------------------------------------------------------------------


def test_a_drain_gives_group_messages_in_order_page_by_page(circle: "Circle") -> None:
    circle.send(*range(1, 301))
    assert hellos(circle, circle.cyd, circle.cyd1) == [f"hello {number}" for number in range(1, 301)]


def test_an_entry_that_was_confirmed_meanwhile_is_removed_by_the_drain_that_meets_it(circle: "Circle") -> None:
    """A fan-out that was held up puts what the device has confirmed by now."""
    from apps.inbox.inbox import Change, apply_changes

    circle.send(1, 2)
    circle.confirm(circle.bob, circle.bob1, 1)
    again = Change(kind="put", user_id=circle.bob, device_id=circle.bob1, member=f"msg-{1:016x}")
    apply_changes([again])
    assert circle.waiting(circle.bob, circle.bob1) == 2
    assert hellos(circle, circle.bob, circle.bob1) == ["hello 2"]
    assert circle.waiting(circle.bob, circle.bob1) == 1
    assert hellos(circle, circle.bob, circle.bob2) == ["hello 1", "hello 2"], "the other device has it still to come"


def test_an_entry_whose_message_is_gone_is_removed_too(circle: "Circle") -> None:
    from apps.messagestore.models import Message

    circle.send(1, 2)
    Message.objects.filter(pk=f"msg-{1:016x}").update(stripped_at_ms=1, content=None)
    assert hellos(circle, circle.bob, circle.bob1) == ["hello 2"]
    assert circle.waiting(circle.bob, circle.bob1) == 1


def test_one_drain_serves_members_of_several_groups_each_by_their_own_pointers(circle: "Circle") -> None:
    from apps.delivery.drain import DrainRequest, drain

    other = new_group_id()
    circle.relay(circle.change("created", circle.ada, circle.cyd, group_id=other, name="Other"))
    circle.relay(circle.message(1), circle.message(2, group_id=other))
    circle.rebuild(circle.cyd, circle.cyd1)
    circle.rebuild(circle.bob, circle.bob1)
    devices = ((circle.bob, circle.bob1), (circle.cyd, circle.cyd1))
    circle.bus.pages.clear()
    drain(
        [
            DrainRequest(
                server_id="gw-1", user_id=one, device_id=device, connection_id=5, generation=1, epoch="", after=0
            )
            for one, device in devices
        ],
        circle.bus,
    )
    counts = {page.device_id: sum("incoming_message" in one for one in page.frames) for page in circle.bus.pages}
    assert counts == {circle.bob1: 1, circle.cyd1: 2}
