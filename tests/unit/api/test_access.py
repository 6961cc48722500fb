"""Who may do what: every call, by everybody who might try."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from apps.accounts.models import Block, Contact, User
from apps.groups.services import create_group, create_invite
from tests.unit.api.stored_messages import message_id, write

PASSWORD = "correct horse battery"

# History and deliveries are read from the Message DB.
pytestmark = pytest.mark.django_db(databases=["default", "messages"])


@dataclass(frozen=True, slots=True)
class Call:
    """A call and the status that each kind of caller gets; {other} and {device} are Bob's, {own} is Ada's device,
    {sent} a message that she wrote to Bob, {group} her group, in which Bob is, {number} and {token} are of invites
    into it. What members of a group may do is in `test_groups`.
    """

    method: str
    path: str
    body: dict[str, Any] | None
    anonymous: int
    owner: int  # Ada, whose the contact, the block, the device and the group are
    other: int  # Carol, a stranger
    blocked: int  # Dave, whom Bob has blocked
    suspended: int  # Ada, suspended
    moderator: int  # Mona, whose rights are the admin's: here they are a stranger's


NEW_PASSWORD = {"old_password": PASSWORD, "new_password": "staple battery horse"}
EVE = {"username": "eve", "password": PASSWORD}
ADA = {"username": "ada", "password": PASSWORD}
REPORT = {"user_id": "{other}", "reason": "spam"}
CALLS = [
    # method, path, body, then: anonymous, owner, other, blocked, suspended, moderator
    Call("post", "auth/register", EVE, 201, 201, 201, 201, 201, 201),
    Call("post", "auth/login", ADA, 200, 200, 200, 200, 403, 200),
    Call("post", "auth/logout", None, 401, 204, 204, 204, 403, 204),
    Call("post", "auth/ticket", None, 401, 200, 200, 200, 403, 200),
    Call("post", "auth/password", NEW_PASSWORD, 401, 200, 200, 200, 403, 200),
    Call("get", "user/me", None, 401, 200, 200, 200, 403, 200),
    Call("patch", "user/me", {"display_name": "X"}, 401, 200, 200, 200, 403, 200),
    Call("get", "user/{other}", None, 401, 200, 200, 200, 403, 200),
    Call("get", "user/usr-000000000000", None, 401, 404, 404, 404, 403, 404),
    Call("get", "users?search=bob", None, 401, 200, 200, 200, 403, 200),
    Call("get", "user/settings", None, 401, 200, 200, 200, 403, 200),
    Call("put", "user/settings", {"history_days": 90}, 401, 200, 200, 200, 403, 200),
    Call("get", "user/{other}/status", None, 401, 200, 200, 200, 403, 200),
    Call("post", "user/status", {"user_ids": []}, 401, 200, 200, 200, 403, 200),
    Call("get", "history/{other}", None, 401, 403, 403, 403, 403, 403),
    Call("get", "message/{sent}/delivery", None, 401, 200, 404, 404, 403, 404),
    Call("get", "conversations", None, 401, 200, 200, 200, 403, 200),
    Call("get", "contacts", None, 401, 200, 200, 200, 403, 200),
    Call("post", "contacts", {"user_id": "{other}"}, 401, 200, 201, 201, 403, 201),
    Call("delete", "contacts/{other}", None, 401, 204, 404, 404, 403, 404),
    Call("get", "blocks", None, 401, 200, 200, 200, 403, 200),
    Call("post", "blocks", {"user_id": "{other}"}, 401, 200, 201, 201, 403, 201),
    Call("delete", "blocks/{other}", None, 401, 204, 404, 404, 403, 404),
    Call("get", "devices", None, 401, 200, 200, 200, 403, 200),
    Call("delete", "devices/{own}", None, 401, 204, 404, 404, 403, 404),
    Call("delete", "devices/{device}", None, 401, 404, 404, 404, 403, 404),
    Call("get", "reports", None, 401, 200, 200, 200, 403, 200),
    Call("post", "reports", REPORT, 401, 201, 201, 201, 403, 201),
    Call("get", "warnings", None, 401, 200, 200, 200, 403, 200),
    Call("get", "groups", None, 401, 200, 200, 200, 403, 200),
    Call("post", "groups", {"name": "Go", "members": ["{other}"]}, 401, 201, 201, 403, 403, 201),
    Call("get", "groups/{group}", None, 401, 200, 404, 404, 403, 404),
    Call("patch", "groups/{group}", {"name": "Go"}, 401, 200, 404, 404, 403, 404),
    Call("delete", "groups/{group}", None, 401, 204, 404, 404, 403, 404),
    Call("get", "groups/{group}/members", None, 401, 200, 404, 404, 403, 404),
    Call("post", "groups/{group}/members", {"user_ids": ["{other}"]}, 401, 409, 404, 404, 403, 404),
    Call("patch", "groups/{group}/members/{other}", {"role": "admin"}, 401, 200, 404, 404, 403, 404),
    Call("delete", "groups/{group}/members/{other}", None, 401, 204, 404, 404, 403, 404),
    Call("get", "groups/{group}/invite", None, 401, 200, 404, 404, 403, 404),
    Call("post", "groups/{group}/invite", {"expires_in": 3600}, 401, 201, 404, 404, 403, 404),
    Call("delete", "groups/{group}/invite/{number}", None, 401, 204, 404, 404, 403, 404),
    Call("put", "groups/{group}/mute", {"until_ms": 4_000_000_000_000}, 401, 200, 404, 404, 403, 404),
    Call("delete", "groups/{group}/mute", None, 401, 204, 404, 404, 403, 404),
    Call("get", "chat/{group}", None, 401, 200, 404, 404, 403, 404),
    Call("get", "invite/{token}", None, 401, 200, 200, 200, 403, 200),
    Call("post", "invite/{token}", None, 401, 409, 201, 201, 403, 201),
    Call("get", "nothing/here", None, 404, 404, 404, 404, 404, 404),
]
PUBLIC = {"auth/register", "auth/login", "nothing/here"}


def fill(value: Any, ids: dict[str, str]) -> Any:
    """A value of a body with the ids filled in."""
    if isinstance(value, list):
        return [fill(one, ids) for one in value]
    return value.format(**ids) if isinstance(value, str) else value


def send(client: APIClient, call: Call, ids: dict[str, str]) -> Any:
    """Make the call with the ids filled in."""
    body = {name: fill(value, ids) for name, value in (call.body or {}).items()}
    return getattr(client, call.method)(f"/api/{call.path.format(**ids)}", body or None, format="json")


@pytest.fixture
def ids(ada, bob, group_log) -> dict[str, str]:
    """Ada, who knows and has blocked Bob, with whom she is in a group."""
    Contact.objects.create(owner=ada.user, person=bob.user)
    Block.objects.create(owner=ada.user, person=bob.user)
    write(ada, bob, [1])
    group_id = create_group(ada.user.pk, "Chess", [bob.user.pk])
    invite, token = create_invite(group_id, ada.user.pk)
    return {
        "other": bob.user.pk,
        "device": bob.device.pk,
        "own": ada.device.pk,
        "sent": message_id(1),
        "group": group_id,
        "number": str(invite.pk),
        "token": token,
    }


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

    def test_by_somebody_whom_the_other_has_blocked(self, call: Call, ids, person) -> None:
        dave = person("dave")
        Block.objects.create(owner_id=ids["other"], person=dave.user)
        assert send(dave.client, call, ids).status_code == call.blocked

    def test_by_a_suspended_user(self, call: Call, ids, ada) -> None:
        User.objects.filter(pk=ada.user.pk).update(is_active=False)
        response = send(ada.client, call, ids)
        assert response.status_code == call.suspended
        if call.suspended == 403:
            assert response.json()["code"] == "suspended"

    def test_by_a_moderator(self, call: Call, ids, person) -> None:
        mo = person("mona")
        User.objects.filter(pk=mo.user.pk).update(is_staff=True)
        mo.user.groups.add(Group.objects.get(name="moderator"))
        assert send(mo.client, call, ids).status_code == call.moderator

    def test_by_a_removed_device(self, call: Call, ids, ada) -> None:
        ada.device.delete()
        expected = call.anonymous if call.path in PUBLIC else 401
        assert send(ada.client, call, ids).status_code == expected

    def test_no_cache_may_keep_an_answer_and_apps_may_ask_whether_theirs_still_stands(
        self, call: Call, ids, ada
    ) -> None:
        answer = send(ada.client, call, ids)
        is_polled = call.method == "get" and answer.status_code == 200 and "search" not in call.path
        assert answer["Cache-Control"] == "private, no-store"
        assert ("ETag" in answer) == is_polled


def test_the_table_has_every_call_of_the_schema(anonymous) -> None:
    tabled = {(call.method, f"/api/{call.path.partition('?')[0]}") for call in CALLS}
    for template, methods in anonymous.get("/api/schema/").json()["paths"].items():
        pattern = re.compile(re.sub(r"\{\w+\}", r"(\\{\\w+\\}|usr-\\w+)", template))
        for method in methods:
            assert any(one == method and pattern.fullmatch(path) for one, path in tabled), f"{method} {template}"
