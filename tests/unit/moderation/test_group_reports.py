"""Messages of groups can be reported by whom they were for, and by nobody else."""

from typing import Any

import pytest

from apps.accounts.errors import NotFoundError
from apps.groups.models import Group
from apps.moderation.models import Report
from apps.moderation.services import report_message
from apps.operations.personal_data import list_reports
from tests.unit.group_world import Circle, message_id

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)
MESSAGE = message_id(1)


def test_a_member_reports_what_came_in_a_group(circle: Circle) -> None:
    circle.relay(circle.message(1))
    report, is_new = report_message(circle.bob, MESSAGE, "threat", "I know where you live")
    assert is_new
    assert (report.reported_user_id, report.message_id, report.group_id) == (circle.ada, MESSAGE, circle.group_id)
    assert report_message(circle.bob, MESSAGE, "threat")[1] is False
    assert report_message(circle.cyd, MESSAGE, "threat")[1] is True
    [exported] = list_reports(circle.cyd)
    assert exported["group_id"] == circle.group_id


def test_so_does_one_who_has_left_since_and_one_of_a_polled_group(circle: Circle) -> None:
    Group.objects.filter(pk=circle.group_id).update(is_polled=True)
    circle.relay(circle.message(1), circle.change("left", circle.bob, circle.bob))
    assert report_message(circle.bob, MESSAGE, "threat")[1]


@pytest.mark.parametrize("who", ["ada", "dee"])
def test_neither_its_sender_nor_a_stranger_can(circle: Circle, who: str) -> None:
    circle.relay(circle.message(1))
    with pytest.raises(NotFoundError):
        report_message(getattr(circle, who), MESSAGE, "curious")
    assert not Report.objects.exists()


def test_nor_who_came_later(circle: Circle) -> None:
    circle.relay(circle.message(1), circle.change("joined", circle.ada, circle.dee), circle.message(2))
    with pytest.raises(NotFoundError):
        report_message(circle.dee, MESSAGE, "curious")
    assert report_message(circle.dee, message_id(2), "threat")[1]


def test_nor_anybody_what_was_withdrawn(circle: Circle) -> None:
    circle.relay(circle.message(1, sender_id=circle.dee, sender_device=circle.dee1))
    with pytest.raises(NotFoundError):
        report_message(circle.bob, MESSAGE, "curious")


def test_one_between_two_people_is_reported_without_a_group(circle: Circle, world: Any) -> None:
    world.relay(world.message(1), first_position=900)
    assert report_message(circle.bob, MESSAGE, "threat")[0].group_id == ""
