"""Who is online and when somebody was last seen: what the settings, blocks and suspensions let be known."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from apps.accounts import presence
from apps.accounts.models import Device
from apps.accounts.services import block_user, suspend_user
from apps.connections.keys import presence_key

NOBODY = "usr-000000000000"


@pytest.fixture(autouse=True)
def keyspace(inbox_valkey):
    """Return where presence stands: on one server, and on a cluster."""
    return inbox_valkey


def come_online(keyspace, person) -> None:
    keyspace.execute("SET", presence_key(person.user.pk), "1")


def status(asking, asked) -> dict:
    return asking.client.get(f"/api/user/{asked.user.pk}/status").json()


def test_online_and_last_seen_are_shown(keyspace, ada, bob) -> None:
    seen_at = int(bob.device.last_seen_at.timestamp() * 1000)
    assert status(ada, bob) == {"user_id": bob.user.pk, "online": False, "last_seen": seen_at}
    come_online(keyspace, bob)
    answer = status(ada, bob)
    assert answer["online"]
    assert seen_at <= answer["last_seen"] <= time.time() * 1000


def test_who_came_within_this_minute_is_never_shown_as_seen_before_that(keyspace, ada, bob, monkeypatch) -> None:
    come_online(keyspace, bob)
    seen_ms = 1_764_288_042_123
    Device.objects.filter(pk=bob.device.pk).update(last_seen_at=datetime.fromtimestamp(seen_ms / 1000, tz=UTC))
    monkeypatch.setattr(presence, "time", SimpleNamespace(time=lambda: seen_ms / 1000 + 5))
    assert status(ada, bob)["last_seen"] == seen_ms


def test_last_seen_is_hidden_from_others_by_the_setting(keyspace, ada, bob) -> None:
    bob.client.put("/api/user/settings", {"show_last_seen": False}, format="json")
    come_online(keyspace, bob)
    assert status(ada, bob) == {"user_id": bob.user.pk, "online": True, "last_seen": None}


def test_who_is_blocked_sees_somebody_who_is_never_there(keyspace, ada, bob) -> None:
    come_online(keyspace, bob)
    come_online(keyspace, ada)
    block_user(bob.user.pk, ada.user.pk)
    assert status(ada, bob) == {"user_id": bob.user.pk, "online": False, "last_seen": None}
    assert status(bob, ada)["online"], "the other way nothing is hidden"


def test_somebody_suspended_looks_like_somebody_who_is_never_there(keyspace, ada, bob) -> None:
    come_online(keyspace, bob)
    suspend_user(bob.user.pk)
    assert status(ada, bob) == {"user_id": bob.user.pk, "online": False, "last_seen": None}


def test_many_are_asked_for_at_once(keyspace, ada, bob, person) -> None:
    eve = person("eve")
    come_online(keyspace, eve)
    asked = [bob.user.pk, NOBODY, eve.user.pk, bob.user.pk]
    answer = ada.client.post("/api/user/status", {"user_ids": asked}, format="json").json()
    found = [(one["user_id"], one["online"]) for one in answer["results"]]
    assert found == [(bob.user.pk, False), (eve.user.pk, True)]


def test_two_hundred_cost_no_more_queries_than_one(ada, person, django_assert_max_num_queries) -> None:
    people = [person(f"crowd{number}").user.pk for number in range(20)]
    with django_assert_max_num_queries(4):
        ada.client.post("/api/user/status", {"user_ids": people}, format="json")


@pytest.mark.parametrize("user_ids", [[NOBODY] * 201, "x", [1], None, [""]])
def test_a_wrong_list_is_refused(ada, user_ids) -> None:
    assert ada.client.post("/api/user/status", {"user_ids": user_ids}, format="json").status_code == 400


def test_an_item_at_fault_is_named(ada) -> None:
    answer = ada.client.post("/api/user/status", {"user_ids": [NOBODY, 7]}, format="json").json()
    assert answer["fields"] == {"user_ids": ["Item 1: Not a valid string."]}


def test_nobody_is_not_found(ada) -> None:
    assert ada.client.get(f"/api/user/{NOBODY}/status").status_code == 404
