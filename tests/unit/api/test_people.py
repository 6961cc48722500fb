"""Profiles, search, settings, contacts, blocks and devices: what the answers hold."""

from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.accounts.palette import AVATAR_COLORS
from apps.accounts.services import log_in_device, suspend_user


def read_all(client, path: str, **parameters: str) -> list[dict]:
    """Follow the cursors of a list to its end."""
    results, cursor = [], None
    while True:
        page = client.get(path, parameters | ({"cursor": cursor} if cursor else {})).json()
        assert set(page) == {"results", "next"}
        results += page["results"]
        cursor = page["next"]
        if cursor is None:
            return results


def test_a_profile_shows_what_anybody_may_see(ada, bob) -> None:
    answer = ada.client.get(f"/api/user/{bob.user.pk}").json()
    expected = {"username": "bob", "display_name": "bob", "avatar_color": bob.user.avatar_color}
    assert answer == {"user_id": bob.user.pk} | expected


def test_me_can_be_changed_in_part(ada) -> None:
    answer = ada.client.patch("/api/user/me", {"display_name": " Countess "}, format="json").json()
    assert (answer["display_name"], answer["avatar_color"]) == ("Countess", ada.user.avatar_color)
    answer = ada.client.patch("/api/user/me", {"avatar_color": AVATAR_COLORS[0]}, format="json").json()
    assert (answer["display_name"], answer["avatar_color"]) == ("Countess", AVATAR_COLORS[0])
    assert ada.client.get("/api/user/me").json() == answer


def test_a_username_cannot_be_changed(ada) -> None:
    assert ada.client.patch("/api/user/me", {"username": "eve"}, format="json").json()["username"] == "ada"


def test_a_search_goes_on_by_cursor_and_sees_everybody_once(ada) -> None:
    names = [f"Load{number:02}" for number in range(45)]
    for name in names:
        User.objects.create_user(name)
    found = read_all(ada.client, "/api/users", search="loa")
    assert [user["username"] for user in found] == names


def test_a_search_shows_neither_oneself_nor_the_suspended(ada, bob) -> None:
    suspend_user(bob.user.pk)
    for query in ("ada", "bob"):
        assert ada.client.get("/api/users", {"search": query}).json() == {"results": [], "next": None}


@pytest.mark.parametrize("query", ["", "?search=", "?search=%00", "?search=%20"])
def test_a_search_for_nothing_is_refused(ada, query: str) -> None:
    response = ada.client.get(f"/api/users{query}")
    assert response.status_code == 400
    assert set(response.json()["fields"]) == {"search"}


@pytest.mark.parametrize("path", ["/api/contacts", "/api/blocks", "/api/users?search=bob", "/api/devices"])
@pytest.mark.parametrize("cursor", ["%", "ä", "not base64", urlsafe_b64encode(b"\0").decode(), "_w=="])
def test_a_cursor_that_we_did_not_give_is_refused(ada, path: str, cursor: str) -> None:
    response = ada.client.get(path, {"cursor": cursor, "search": "bob"})
    assert response.status_code == 400
    assert set(response.json()["fields"]) == {"cursor"}


@pytest.mark.parametrize("path", ["/api/contacts", "/api/blocks"])
@pytest.mark.parametrize("key", ["x", "-1", "9" * 30, "١"])
def test_a_cursor_that_is_no_row_number_is_refused(ada, path: str, key: str) -> None:
    response = ada.client.get(path, {"cursor": urlsafe_b64encode(key.encode()).decode()})
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/api/contacts", "/api/blocks"])
def test_contacts_and_blocks_are_listed_in_the_order_they_were_made(
    ada, bob, person: Callable, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.api.contacts.PAGE_SIZE", 2)
    people = [bob, *[person(f"p{number}.x") for number in range(4)]]
    for other in people:
        answer = ada.client.post(path, {"user_id": other.user.pk}, format="json")
        assert answer.status_code == 201
        assert answer.json()["username"] == other.user.username
        assert answer.json()["created_at"] > 1_700_000_000_000
    assert [row["user_id"] for row in read_all(ada.client, path)] == [other.user.pk for other in people]
    assert ada.client.delete(f"{path}/{bob.user.pk}").status_code == 204
    assert len(read_all(ada.client, path)) == 4
    assert read_all(bob.client, path) == []


@pytest.mark.parametrize("path", ["/api/contacts", "/api/blocks"])
def test_oneself_and_nobody_cannot_be_listed(ada, path: str) -> None:
    assert ada.client.post(path, {"user_id": ada.user.pk}, format="json").status_code == 400
    assert ada.client.post(path, {"user_id": "usr-000000000000"}, format="json").status_code == 404
    assert ada.client.post(path, {"user_id": "no id"}, format="json").status_code == 404


def test_settings_begin_with_the_defaults_and_keep_what_is_left_out(ada) -> None:
    defaults = {"history_days": 0, "show_last_seen": True, "read_receipts": True}
    assert ada.client.get("/api/user/settings").json() == defaults
    changed = ada.client.put("/api/user/settings", {"history_days": 90, "read_receipts": False}, format="json").json()
    assert changed == {"history_days": 90, "show_last_seen": True, "read_receipts": False}
    assert ada.client.get("/api/user/settings").json() == changed
    assert ada.client.put("/api/user/settings", defaults, format="json").json() == defaults


@pytest.mark.parametrize("days", [1, 89, 91, True, "90", 90.0, None])
def test_a_history_of_other_length_is_refused(ada, days: object) -> None:
    response = ada.client.put("/api/user/settings", {"history_days": days}, format="json")
    assert response.status_code == 400
    assert set(response.json()["fields"]) == {"history_days"}


def test_devices_are_ones_own_and_the_asking_one_is_marked(ada, bob) -> None:
    phone, _ = log_in_device(ada.user, "phone")
    devices = {device["device_id"]: device for device in read_all(ada.client, "/api/devices")}
    assert set(devices) == {ada.device.pk, phone.pk}
    assert devices[ada.device.pk]["current"]
    assert not devices[phone.pk]["current"]
    assert (devices[phone.pk]["name"], devices[phone.pk]["kind"]) == ("phone", "token")
    assert devices[phone.pk]["last_seen_at"] > 1_700_000_000_000


def test_removing_a_device_tells_the_gateways(ada, cache_valkey: str, django_capture_on_commit_callbacks) -> None:
    phone, _ = log_in_device(ada.user, "phone")
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        assert ada.client.delete(f"/api/devices/{phone.pk}").status_code == 204
    assert len(callbacks) == 2
    assert [device["device_id"] for device in read_all(ada.client, "/api/devices")] == [ada.device.pk]
