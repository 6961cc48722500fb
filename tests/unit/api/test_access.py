"""Who may do what: every call, by everybody who might try."""

from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Block, Contact, User

PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Call:
    """A call and the status that each kind of caller gets; {other} and {device} are Bob's, {own} is Ada's device."""

    method: str
    path: str
    body: dict[str, Any] | None
    anonymous: int
    owner: int
    other: int


NEW_PASSWORD = {"old_password": PASSWORD, "new_password": "staple battery horse"}
CALLS = [
    # method, path, body                                                             anonymous, Ada, Carol
    Call("post", "auth/register", {"username": "eve", "password": PASSWORD}, 201, 201, 201),
    Call("post", "auth/login", {"username": "ada", "password": PASSWORD}, 200, 200, 200),
    Call("post", "auth/logout", None, 401, 204, 204),
    Call("post", "auth/ticket", None, 401, 200, 200),
    Call("post", "auth/password", NEW_PASSWORD, 401, 200, 200),
    Call("get", "user/me", None, 401, 200, 200),
    Call("patch", "user/me", {"display_name": "X"}, 401, 200, 200),
    Call("get", "user/{other}", None, 401, 200, 200),
    Call("get", "user/usr-000000000000", None, 401, 404, 404),
    Call("get", "users?search=bob", None, 401, 200, 200),
    Call("get", "user/settings", None, 401, 200, 200),
    Call("put", "user/settings", {"history_days": 90}, 401, 200, 200),
    Call("get", "user/{other}/status", None, 401, 200, 200),
    Call("post", "user/status", {"user_ids": []}, 401, 200, 200),
    Call("get", "history/{other}", None, 401, 403, 403),
    Call("get", "conversations", None, 401, 200, 200),
    Call("get", "contacts", None, 401, 200, 200),
    Call("post", "contacts", {"user_id": "{other}"}, 401, 200, 201),
    Call("delete", "contacts/{other}", None, 401, 204, 404),
    Call("get", "blocks", None, 401, 200, 200),
    Call("post", "blocks", {"user_id": "{other}"}, 401, 200, 201),
    Call("delete", "blocks/{other}", None, 401, 204, 404),
    Call("get", "devices", None, 401, 200, 200),
    Call("delete", "devices/{own}", None, 401, 204, 404),
    Call("delete", "devices/{device}", None, 401, 404, 404),
    Call("get", "nothing/here", None, 404, 404, 404),
]
PUBLIC = {"auth/register", "auth/login", "nothing/here"}


def send(client: APIClient, call: Call, ids: dict[str, str]) -> Any:
    """Make the call with the ids filled in."""
    body = {name: value.format(**ids) if name == "user_id" else value for name, value in (call.body or {}).items()}
    return getattr(client, call.method)(f"/api/{call.path.format(**ids)}", body or None, format="json")


@pytest.fixture
def ids(ada, bob) -> dict[str, str]:
    """Ada, who knows and has blocked Bob."""
    Contact.objects.create(owner=ada.user, person=bob.user)
    Block.objects.create(owner=ada.user, person=bob.user)
    return {"other": bob.user.pk, "device": bob.device.pk, "own": ada.device.pk}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
class TestEveryCall:
    """One test a kind of caller, each over the whole table."""

    def test_by_nobody(self, call: Call, ids, anonymous) -> None:
        response = send(anonymous, call, ids)
        assert response.status_code == call.anonymous
        if call.anonymous == 401:
            assert response.json()["code"] == "not_authenticated"
            assert response["WWW-Authenticate"] == "Token"

    def test_by_the_owner(self, call: Call, ids, ada) -> None:
        assert send(ada.client, call, ids).status_code == call.owner

    def test_by_somebody_else(self, call: Call, ids, person) -> None:
        assert send(person("carol").client, call, ids).status_code == call.other

    def test_by_a_suspended_user(self, call: Call, ids, ada) -> None:
        User.objects.filter(pk=ada.user.pk).update(is_active=False)
        response = send(ada.client, call, ids)
        expected = {"auth/register": 201, "nothing/here": 404}.get(call.path, 403)
        assert response.status_code == expected
        if expected == 403:
            assert response.json()["code"] == "suspended"

    def test_by_a_removed_device(self, call: Call, ids, ada) -> None:
        ada.device.delete()
        expected = call.anonymous if call.path in PUBLIC else 401
        assert send(ada.client, call, ids).status_code == expected

    def test_no_answer_may_be_cached(self, call: Call, ids, ada) -> None:
        assert send(ada.client, call, ids)["Cache-Control"] == "private, no-store"
