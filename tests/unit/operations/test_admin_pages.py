"""The admin's pages about servers."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from apps.accounts.models import User
from apps.messagelog.base import DeadLetter, LogStatus, PartitionStatus
from apps.operations import admin_pages
from apps.operations.dead_letter_list import describe_dead_letters
from apps.operations.live_figures import InboxSizes, describe_inboxes, lag_by_group
from apps.protocol.ids import message_id

SECRET = "what Ada wrote to Bob"
PAYLOAD = f'["m", "msg-00194a3b5c000001", "usr-000000000001", "{SECRET}"]'


def browser_with(role: str) -> Client:
    """A browser of somebody with a role."""
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def test_a_dead_letter_is_described_without_its_content() -> None:
    letters = [
        DeadLetter(partition=3, sequence=7, reason="DataError('cannot store what Ada wrote to Bob')", payload=PAYLOAD),
        DeadLetter(partition=0, sequence=8, reason="expected a JSON array", payload=SECRET),
        DeadLetter(partition=0, sequence=9, reason=f"unknown kind or wrong number of fields: '{SECRET}'", payload="[]"),
    ]
    lines = describe_dead_letters(letters)
    assert SECRET not in repr(lines)
    assert [(line.position, line.message_id, line.reason) for line in lines] == [
        ("3/7", "msg-00194a3b5c000001", "DataError"),
        ("0/8", "", "expected a JSON array"),
        ("0/9", "", "unknown kind or wrong number of fields"),
    ]
    assert lines[0].size == len(PAYLOAD)
    assert lines[0].accepted_at is not None
    assert lines[1].accepted_at is None


def test_the_time_of_a_message_is_that_of_its_id() -> None:
    id_of_one_hour = message_id(3_600_000 << 22)
    letter = DeadLetter(partition=0, sequence=1, reason="x", payload=f'["m", "{id_of_one_hour}"]')
    assert str(describe_dead_letters([letter])[0].accepted_at) == "2024-01-01 01:00:00+00:00"


def test_the_page_of_dead_letters_shows_none_of_their_content(
    db: None, cache_valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Log:
        def list_dead_letters(self, limit: int) -> list[DeadLetter]:
            return [DeadLetter(partition=3, sequence=7, reason="DataError('x')", payload=PAYLOAD)]

    monkeypatch.setattr(admin_pages, "get_message_log", Log)
    page = browser_with("operator").get("/admin/dead-letters/").content.decode()
    assert "msg-00194a3b5c000001" in page
    assert SECRET not in page


@pytest.mark.parametrize(
    ("role", "live", "letters"), [("operator", 200, 200), ("read-only", 200, 403), ("moderator", 403, 403)]
)
def test_each_role_sees_its_pages(
    db: None, cache_valkey: str, log_valkey: str, role: str, live: int, letters: int
) -> None:
    browser = browser_with(role)
    assert browser.get("/admin/live-figures/").status_code == live
    assert browser.get("/admin/dead-letters/").status_code == letters


def test_who_is_not_logged_in_is_sent_to_the_door(db: None, client: Client) -> None:
    assert client.get("/admin/live-figures/").headers["Location"].startswith("/admin/login/")


def test_the_figures_alone_are_what_the_page_fetches(db: None, cache_valkey: str, log_valkey: str) -> None:
    part = browser_with("operator").get("/admin/live-figures/", {"part": "figures"}).content.decode()
    assert "<html" not in part
    assert "Connections by server" in part


def test_lag_is_summed_over_partitions() -> None:
    partitions = tuple(
        PartitionStatus(partition=number, first=1, last=10, committed={"relay": 7 + number}) for number in range(2)
    )
    status = LogStatus(generation=1, partitions=partitions, readers={}, dead_letters=0)
    assert lag_by_group(status) == {"relay": 5}


def test_inbox_sizes_are_read_from_a_histogram() -> None:
    buckets = [(1.0, 50.0), (5.0, 90.0), (10.0, 96.0), (float("inf"), 100.0)]
    assert describe_inboxes(buckets) == InboxSizes(looked_at=100, half=1.0, most=10.0)
    assert describe_inboxes([(1.0, 0.0), (float("inf"), 100.0)]).half is None
    assert describe_inboxes([]) == InboxSizes(looked_at=0, half=None, most=None)
