"""The admin's start: each role sees what it may, and nothing else."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.moderation.models import AddressBan
from apps.moderation.services import ban_address, dismiss_report, report_spammer, report_user, suspend

pytestmark = pytest.mark.usefixtures("cache_valkey")

Pages = Callable[[str], str]


@pytest.fixture
def start_of(make_staff: Callable[[str], User], browser_of: Callable[[User], Client]) -> Pages:
    """Return a reader of the start page as a role sees it."""

    def read(role: str) -> str:
        response = browser_of(make_staff(role)).get("/admin/")
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    return read


def test_a_moderator_sees_what_waits_and_what_was_decided(
    start_of: Pages, make_staff: Callable[[str], User], ada: User, bob: User
) -> None:
    root = make_staff("superuser")
    report_user(bob.pk, ada.pk, "shouts at everybody")
    dismiss_report(root, report_user(ada.pk, bob.pk, "a quarrel")[0].pk, "both began it")
    report_spammer(bob.pk, points=1.2, reason="wrote to 120 people")
    suspend(root, ada.pk, "three strikes")
    ban_address(root, AddressBan(network="203.0.113.0/24", reason="floods"))
    page = start_of("moderator")
    for title, number in (
        ("Undecided, by people", 1),
        ("Undecided, by the spam scorer", 1),
        ("Suspended users", 1),
        ("Users with a message limit", 1),
        ("Bans in force", 1),
    ):
        assert f'<h2>{title}</h2><p class="number">{number}</p>' in page
    assert "shouts at everybody" in page
    assert "by the spam scorer" in page
    assert "a quarrel" not in page, "it is decided"
    assert "both began it" in page
    assert "three strikes" in page


def test_an_operator_sees_no_reports(start_of: Pages, ada: User, bob: User) -> None:
    report_user(bob.pk, ada.pk, "shouts at everybody")
    page = start_of("operator")
    assert "shouts at everybody" not in page
    assert "Undecided" not in page
    assert "Bans in force" in page


def test_where_everything_is_quiet_it_says_so(start_of: Pages) -> None:
    assert start_of("read-only").count("<li>Nothing.</li>") == 2


def test_staff_without_a_group_are_told_why_it_is_empty(browser_of: Callable[[User], Client], ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    page = browser_of(ada).get("/admin/").content.decode()
    assert "There is nothing here that you may see" in page


def test_the_history_of_a_ban_and_of_a_report_is_in_the_audit_log(
    moderator: User, browser_of: Callable[[User], Client], ada: User, bob: User
) -> None:
    desk = browser_of(moderator)
    ban = ban_address(moderator, AddressBan(network="203.0.113.0/24", reason="floods"))
    report = report_user(ada.pk, bob.pk, "a quarrel")[0]
    dismiss_report(moderator, report.pk, "both began it")
    of_ban = desk.get(f"/admin/moderation/addressban/{ban.pk}/history/", follow=True).content.decode()
    of_report = desk.get(f"/admin/moderation/report/{report.pk}/history/", follow=True).content.decode()
    assert ("floods" in of_ban, "both began it" in of_ban) == (True, False)
    assert ("floods" in of_report, "both began it" in of_report) == (False, True)
    assert desk.get("/admin/moderation/addressban/999/history/").status_code == 404
