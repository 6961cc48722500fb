"""Reading in a group: members of that time may say so, and the sender of what was read is told."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


def told(circle: "Circle", device_id: str) -> list[tuple[str, str, str]]:
    """Who has read up to what, as a device was told."""
    frames: list[dict[str, Any]] = circle.bus.frames(device_id)
    return [(one["reader_id"], one["message_id"], one["group_id"]) for one in frames if one["action"] == "message_read"]


def test_the_sender_is_told_and_the_readers_other_device(circle: "Circle") -> None:
    circle.send(1, 2)
    circle.relay(circle.read(circle.bob, circle.bob1, 2), circle.read(circle.bob, circle.bob1, 1))
    expected = [(circle.bob, f"msg-{2:016x}", circle.group_id)]
    for device_id in (circle.ada1, circle.ada2, circle.bob2):
        assert told(circle, device_id) == expected
    for device_id in (circle.bob1, circle.cyd1):
        assert told(circle, device_id) == []


def test_only_whoever_was_a_member_then_may_have_read_it(circle: "Circle") -> None:
    circle.relay(
        circle.message(1),
        circle.change("left", circle.cyd, circle.cyd),
        circle.change("joined", circle.ada, circle.dee),
        circle.message(2),
    )
    circle.relay(circle.read(circle.dee, circle.dee1, 1), circle.read(circle.cyd, circle.cyd1, 2))
    assert told(circle, circle.ada1) == []
    circle.relay(circle.read(circle.dee, circle.dee1, 2), circle.read(circle.cyd, circle.cyd1, 1))
    assert {(one[0], one[1]) for one in told(circle, circle.ada1)} == {
        (circle.dee, f"msg-{2:016x}"),
        (circle.cyd, f"msg-{1:016x}"),
    }


def test_what_is_told_must_be_the_group_of_the_message(circle: "Circle") -> None:
    circle.send(1)
    circle.relay(*[circle.read(circle.bob, circle.bob1, 1, told=one) for one in (circle.ada, "grp-000000000000")])
    assert told(circle, circle.ada1) == []


def test_who_hides_what_they_read_tells_only_their_own_devices(circle: "Circle") -> None:
    from apps.accounts.services import update_settings

    update_settings(circle.bob, device_id=circle.bob1, read_receipts=False)
    circle.send(1)
    circle.relay(circle.read(circle.bob, circle.bob1, 1))
    assert told(circle, circle.ada1) == []
    assert told(circle, circle.bob2)


def test_in_a_group_that_is_polled_the_readers_own_devices_are_told_alone(circle: "Circle", settings: Any) -> None:
    """A hundred thousand may read a message there."""
    settings.GROUP_PUSH_LIMIT = 3
    circle.send(1)
    circle.relay(circle.change("joined", circle.ada, circle.dee))
    circle.relay(circle.message(2))
    circle.bus.pushes.clear()
    circle.relay(circle.read(circle.bob, circle.bob1, 2))
    circle.relay(circle.read(circle.cyd, circle.cyd1, 1))
    assert told(circle, circle.bob2) == [(circle.bob, f"msg-{2:016x}", circle.group_id)]
    circle.rebuild(circle.ada, circle.ada1)
    circle.rebuild(circle.bob, circle.bob2)
    for user_id, device_id, count in ((circle.ada, circle.ada1, 0), (circle.bob, circle.bob2, 1)):
        assert [one["action"] for one in circle.drain(user_id, device_id)].count("message_read") == count


def test_of_each_message_its_own_sender_is_told(circle: "Circle") -> None:
    circle.send(1)
    circle.relay(circle.message(2, sender_id=circle.cyd, sender_device=circle.cyd1))
    circle.relay(circle.read(circle.bob, circle.bob1, 1))
    circle.bus.pushes.clear()
    circle.relay(circle.read(circle.bob, circle.bob1, 2))
    assert told(circle, circle.cyd1) == [(circle.bob, f"msg-{2:016x}", circle.group_id)]
    assert told(circle, circle.ada1) == []
