"""Groups over REST: what the answers hold, who may do what, and what becomes of changes that are late."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group as Role

from apps.accounts.models import Block, User
from apps.groups.changes import MODERATOR
from apps.groups.kinds import Kind
from apps.groups.models import Group, Member
from apps.groups.services import create_invite, submission, submit_change
from apps.groups.services.mutes import FOREVER
from tests.unit.api.documented_client import schema_paths
from tests.unit.api.stored_messages import message_id, write_to_group
from tests.unit.api.test_access import fill
from tests.unit.api.test_people import read_all

# Polled messages are read from the Message DB.
pytestmark = pytest.mark.django_db(databases=["default", "messages"])

NOBODY = "usr-000000000000"
PICTURE = "med-" + "0" * 32


def check_refusal(answer, status: int, code: str) -> dict[str, Any]:
    """The answer refuses with this."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert body["message"]
    return body


def present(club) -> dict[str, str]:
    """Who is in the group now."""
    rows = Member.objects.filter(group_id=club.group_id, to_sequence=None)
    return dict(rows.values_list("user__username", "role"))


def test_a_new_group_is_answered_as_the_contract_says(group_log, ada, bob) -> None:
    answer = ada.client.post("/api/groups", {"name": " Chess ", "members": [bob.user.pk]}, format="json")
    assert answer.status_code == 201
    body = answer.json()
    [created] = group_log.records
    assert body.pop("created_at") == pytest.approx(created.timestamp_ms, abs=5_000)
    assert body == {
        "group_id": created.group_id,
        "name": "Chess",
        "description": "",
        "picture": "",
        "version": 1,
        "member_count": 2,
        "only_admins_write": False,
        "slow_mode_seconds": 0,
        "frozen": False,
        "freeze_reason": "",
        "delivery": "push",
        "role": "owner",
        "muted_until": None,
        "members": [
            {
                "user_id": one.user.pk,
                "username": one.user.username,
                "display_name": one.user.display_name,
                "avatar_color": one.user.avatar_color,
                "role": role,
            }
            for one, role in ((ada, "owner"), (bob, "member"))
        ],
    }
    seen = bob.client.get(f"/api/groups/{created.group_id}").json()
    assert (seen["role"], seen["members"]) == ("member", body["members"])


def test_a_group_needs_no_other_members_and_may_be_described(group_log, ada) -> None:
    body = {"name": "Notes", "description": "one\ntwo", "picture": PICTURE}
    answer = ada.client.post("/api/groups", body, format="json").json()
    assert body.items() <= answer.items()
    assert [one["user_id"] for one in answer["members"]] == [ada.user.pk]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "over\u202eride"}, "name"),
        ({"name": 5}, "name"),
        ({"members": [NOBODY]}, "members"),
        ({"members": ["x" * 17]}, "members"),
        ({"members": [1]}, "members"),
        ({"members": [NOBODY] * 501}, "members"),
        ({"members": "usr"}, "members"),
        ({"members": None}, "members"),
        ({"description": "x" * 501}, "description"),
        ({"description": "nul\0"}, "description"),
        ({"picture": "https://example.com/x.png"}, "picture"),
    ],
)
def test_a_group_that_cannot_be_made_is_told_why(group_log, ada, wrong: dict[str, Any], field: str) -> None:
    answer = ada.client.post("/api/groups", {"name": "Chess", "members": []} | wrong, format="json")
    assert set(check_refusal(answer, 400, "invalid")["fields"]) == {field}
    assert group_log.records == []


def test_who_has_blocked_the_owner_is_named(group_log, ada, bob, person) -> None:
    Block.objects.create(owner=bob.user, person=ada.user)
    members = [person("eve").user.pk, bob.user.pk]
    answer = ada.client.post("/api/groups", {"name": "Chess", "members": members}, format="json")
    [reason] = check_refusal(answer, 403, "forbidden")["fields"]["members"]
    assert bob.user.pk in reason
    assert not Group.objects.exists()


def test_nobody_is_in_more_groups_than_anybody_may_be(group_log, ada, monkeypatch) -> None:
    monkeypatch.setattr("apps.groups.validation.MAX_GROUPS", 1)
    assert ada.client.post("/api/groups", {"name": "One"}, format="json").status_code == 201
    check_refusal(ada.client.post("/api/groups", {"name": "Two"}, format="json"), 409, "too_many_groups")


def test_groups_are_listed_by_pages_without_members(group_log, ada, bob, monkeypatch) -> None:
    monkeypatch.setattr("apps.api.groups.PAGE_SIZE", 2)
    for number in range(5):
        ada.client.post("/api/groups", {"name": f"Group {number}"}, format="json")
    bob.client.post("/api/groups", {"name": "Bob's"}, format="json")
    found = read_all(ada.client, "/api/groups")
    assert [one["name"] for one in found] == [f"Group {number}" for number in range(5)]
    whole = ada.client.get(f"/api/groups/{found[0]['group_id']}").json()
    assert whole.pop("members")
    assert whole == found[0]


def test_only_the_first_members_of_a_large_group_are_shown(club, monkeypatch) -> None:
    monkeypatch.setattr("apps.api.groups.MEMBERS_SHOWN", 2)
    body = club.member.client.get(club.address).json()
    assert ([one["username"] for one in body["members"]], body["member_count"]) == (["ada", "bob"], 3)


def test_a_group_is_changed_in_part_and_each_thing_is_an_event(club, group_log) -> None:
    change = {"name": "Go", "description": "Mondays", "only_admins_write": True, "slow_mode_seconds": 30}
    answer = club.admin.client.patch(club.address, change, format="json")
    assert answer.status_code == 200
    body = answer.json()
    assert change.items() <= body.items()
    assert body["version"] == 5
    assert group_log.kinds() == ["renamed", "described", "rules"]
    again = club.owner.client.patch(club.address, change | {"picture": PICTURE}, format="json").json()
    assert (again["version"], again["picture"]) == (6, PICTURE)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("name", value) for value in ("", " ", "x" * 101, None, 5, ["x"])),
        *(("description", value) for value in ("x" * 501, None, 5)),
        *(("picture", value) for value in ("x", None, 5)),
        *(("only_admins_write", value) for value in ("true", 1, None)),
        *(("slow_mode_seconds", value) for value in (-1, 3601, "5", 5.0, True, None, 2**70)),
    ],
)
def test_a_change_that_cannot_be_made_is_told_why(club, group_log, field: str, wrong: object) -> None:
    answer = club.owner.client.patch(club.address, {field: wrong}, format="json")
    assert set(check_refusal(answer, 400, "invalid")["fields"]) == {field}
    assert group_log.records == []


def test_a_deleted_group_is_gone_for_everybody(club) -> None:
    assert club.owner.client.delete(club.address).status_code == 204
    for one in (club.owner, club.member):
        check_refusal(one.client.get(club.address), 404, "not_found")
        assert one.client.get("/api/groups").json()["results"] == []


def test_a_frozen_group_says_why_and_cannot_be_changed(club) -> None:
    submit_change(Kind.FROZEN, club.group_id, by=MODERATOR, details={"reason": "spam"})
    body = club.member.client.get(club.address).json()
    assert (body["frozen"], body["freeze_reason"]) == (True, "spam")
    check_refusal(club.owner.client.patch(club.address, {"name": "Go"}, format="json"), 403, "frozen")


def test_a_large_group_is_polled(club, settings) -> None:
    settings.GROUP_PUSH_LIMIT = 2
    club.owner.client.patch(club.address, {"name": "Go"}, format="json")
    assert club.member.client.get(club.address).json()["delivery"] == "poll"


def test_a_change_that_is_late_is_accepted_with_the_event_that_will_tell(club, group_log, monkeypatch) -> None:
    monkeypatch.setattr(submission, "WAIT_SECONDS", 0.01)
    group_log.is_held = True
    answer = club.owner.client.patch(club.address, {"name": "Go", "description": "x"}, format="json")
    expected = {"group_id": club.group_id, "event_id": group_log.records[-1].event_id}
    assert (answer.status_code, answer.json()) == (202, expected)
    assert answer["Cache-Control"] == "private, no-store"
    new = club.owner.client.post("/api/groups", {"name": "Go"}, format="json")
    assert (new.status_code, new.json()["group_id"]) == (202, group_log.records[-1].group_id)
    group_log.relay()
    assert club.owner.client.get(f"/api/groups/{new.json()['group_id']}").json()["name"] == "Go"
    assert club.member.client.get(club.address).json()["name"] == "Go"


def test_a_log_that_is_down_is_a_503_that_asks_to_try_again(club, group_log) -> None:
    group_log.is_down = True
    answer = club.owner.client.delete(club.address)
    check_refusal(answer, 503, "unavailable")
    assert int(answer["Retry-After"]) > 0
    check_refusal(club.owner.client.post("/api/groups", {"name": "Go"}, format="json"), 503, "unavailable")


def test_who_is_sent_away_while_they_ask_is_no_member_any_more(club, group_log) -> None:
    group_log.meanwhile = lambda: club.owner.client.delete(f"{club.address}/members/{club.admin.user.pk}")
    answer = club.admin.client.patch(club.address, {"name": "Go"}, format="json")
    check_refusal(answer, 403, "not_a_member")
    check_refusal(club.admin.client.patch(club.address, {"name": "Go"}, format="json"), 404, "not_found")


def test_a_group_is_muted_until_then_or_for_good(club) -> None:
    address = f"{club.address}/mute"
    until = 4_000_000_000_123
    answer = club.member.client.put(address, {"until_ms": until}, format="json")
    assert (answer.status_code, answer.json()) == (200, {"muted_until": until})
    assert club.member.client.get(club.address).json()["muted_until"] == until
    assert club.member.client.get("/api/groups").json()["results"][0]["muted_until"] == until
    assert club.owner.client.get(club.address).json()["muted_until"] is None
    for body in ({}, None):
        forever = club.member.client.put(address, body, format="json").json()["muted_until"]
        assert forever == int(FOREVER.timestamp() * 1000)
    for _ in range(2):
        assert club.member.client.delete(address).status_code == 204
    assert club.member.client.get(club.address).json()["muted_until"] is None


def test_a_mute_that_has_run_out_is_none(club) -> None:
    Member.objects.update(muted_until="2026-01-01T00:00:00Z")
    assert club.member.client.get(club.address).json()["muted_until"] is None


@pytest.mark.parametrize("until", [0, -1, 1, 1_700_000_000_000, 10**15, "x", 5.5, None, True])
def test_a_time_that_is_over_or_none_is_refused(club, until: object) -> None:
    answer = club.member.client.put(f"{club.address}/mute", {"until_ms": until}, format="json")
    assert set(check_refusal(answer, 400, "invalid")["fields"]) == {"until_ms"}


@pytest.mark.django_db(transaction=True)
def test_the_other_devices_hear_of_a_mute(club, cache_valkey: str) -> None:
    from apps.valkey.pools import sync_client

    club.member.client.put(f"{club.address}/mute", {}, format="json")
    events = [entry for _, entry in sync_client(cache_valkey).xrange("control:events")]
    told = [(one["user"], one["devices"]) for one in events if one["kind"] == "settings_changed"]
    assert told == [(club.member.user.pk, club.member.device.pk)]


@dataclass(frozen=True, slots=True)
class Call:
    """A call and the status that each kind of caller gets. {ada} owns the group, {bob} is an admin, {carol} and {dan}
    are members, {eve} is none; {invite} is the number of an invite, {token} another one's token. {told} is a message
    of Ada's, {sent} one of Carol's. Moderators are strangers to a group here, and so is whoever was removed, but for
    what they keep of it.
    """

    method: str
    path: str
    body: dict[str, Any] | None
    owner: int
    admin: int
    member: int
    stranger: int
    former: int | None = None  # Carol, who was removed; None: as a stranger


CALLS = [
    # method, path, body, then: owner, admin, member, stranger, former member
    Call("get", "groups", None, 200, 200, 200, 200),
    Call("post", "groups", {"name": "Go", "members": ["{dan}"]}, 201, 201, 201, 201),
    Call("get", "groups/{group}", None, 200, 200, 200, 404),
    Call("patch", "groups/{group}", {"name": "Go"}, 200, 200, 403, 404),
    Call("patch", "groups/{group}", {"description": "x"}, 200, 200, 403, 404),
    Call("patch", "groups/{group}", {"picture": PICTURE}, 200, 200, 403, 404),
    Call("patch", "groups/{group}", {"only_admins_write": True}, 200, 200, 403, 404),
    Call("patch", "groups/{group}", {"slow_mode_seconds": 5}, 200, 200, 403, 404),
    Call("patch", "groups/{group}", {}, 200, 200, 403, 404),
    Call("delete", "groups/{group}", None, 204, 403, 403, 404),
    Call("get", "groups/{group}/members", None, 200, 200, 200, 404),
    Call("post", "groups/{group}/members", {"user_ids": ["{eve}"]}, 201, 201, 403, 404),
    Call("post", "groups/{group}/members", {"user_ids": ["{dan}"]}, 409, 409, 403, 404),
    Call("patch", "groups/{group}/members/{dan}", {"role": "admin"}, 200, 403, 403, 404),
    Call("patch", "groups/{group}/members/{dan}", {"role": "owner"}, 200, 403, 403, 404),
    Call("patch", "groups/{group}/members/{bob}", {"role": "member"}, 200, 403, 403, 404),
    Call("patch", "groups/{group}/members/{ada}", {"role": "member"}, 403, 403, 403, 404),
    Call("delete", "groups/{group}/members/{ada}", None, 409, 403, 403, 404),
    Call("delete", "groups/{group}/members/{bob}", None, 204, 204, 403, 404),
    Call("delete", "groups/{group}/members/{dan}", None, 204, 204, 403, 404),
    Call("delete", "groups/{group}/members/{carol}", None, 204, 204, 204, 404),
    Call("delete", "groups/{group}/members/{eve}", None, 404, 404, 403, 404),
    Call("get", "groups/{group}/invite", None, 200, 200, 403, 404),
    Call("post", "groups/{group}/invite", {}, 201, 201, 403, 404),
    Call("delete", "groups/{group}/invite/{invite}", None, 204, 204, 403, 404),
    Call("put", "groups/{group}/mute", {}, 200, 200, 200, 404),
    Call("delete", "groups/{group}/mute", None, 204, 204, 204, 404),
    Call("get", "chat/{group}", None, 200, 200, 200, 404),
    Call("get", "history/{group}", None, 200, 200, 200, 404, 200),
    Call("get", "message/{told}/delivery", None, 200, 404, 404, 404, 404),
    Call("get", "message/{sent}/delivery", None, 404, 404, 200, 404, 200),
    Call("post", "reports", {"message_id": "{told}", "reason": "spam"}, 404, 201, 201, 404, 201),
    Call("post", "reports", {"message_id": "{sent}", "reason": "spam"}, 201, 201, 404, 404, 404),
    Call("get", "invite/{token}", None, 200, 200, 200, 200),
    Call("post", "invite/{token}", None, 409, 409, 409, 201),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path} {call.body or ''}")
class TestEveryCall:
    """One test a kind of caller, each over the whole table."""

    @pytest.fixture
    def ids(self, club, group_log, person) -> dict[str, str]:
        dan = person("dan")
        club.owner.client.post(f"{club.address}/members", {"user_ids": [dan.user.pk]}, format="json")
        people = {"ada": club.owner, "bob": club.admin, "carol": club.member, "dan": dan, "eve": club.stranger}
        invite, _ = create_invite(club.group_id, club.owner.user.pk)
        _, token = create_invite(club.group_id, club.owner.user.pk)
        # As if it was polled then: kept for all of its members.
        for number, writer in enumerate((club.owner, club.member), group_log.sequence + 1):
            write_to_group(writer, club.group_id, [number], keepers=[club.group_id])
        messages = {"told": message_id(group_log.sequence + 1), "sent": message_id(group_log.sequence + 2)}
        group_log.sequence += 2
        names = {name: one.user.pk for name, one in people.items()}
        return names | messages | {"group": club.group_id, "invite": str(invite.pk), "token": token}

    @staticmethod
    def send(client: Any, call: Call, ids: dict[str, str], **extra: str) -> Any:
        body = {name: fill(value, ids) for name, value in call.body.items()} if call.body is not None else None
        return getattr(client, call.method)(f"/api/{call.path.format(**ids)}", body, format="json", **extra)

    def test_by_the_owner(self, call: Call, club, ids) -> None:
        assert self.send(club.owner.client, call, ids).status_code == call.owner

    def test_by_an_admin(self, call: Call, club, ids) -> None:
        assert self.send(club.admin.client, call, ids).status_code == call.admin

    def test_by_a_member(self, call: Call, club, ids) -> None:
        assert self.send(club.member.client, call, ids).status_code == call.member

    def test_by_a_stranger(self, call: Call, club, ids) -> None:
        before = present(club)
        answer = self.send(club.stranger.client, call, ids)
        assert answer.status_code == call.stranger
        if call.stranger == 404:
            assert answer.json()["code"] == "not_found"
            assert present(club) == before

    def test_by_a_member_who_was_removed(self, call: Call, club, ids) -> None:
        club.owner.client.delete(f"{club.address}/members/{club.member.user.pk}")
        expected = call.stranger if call.former is None else call.former
        assert self.send(club.member.client, call, ids).status_code == expected

    def test_by_a_moderator(self, call: Call, club, ids, person) -> None:
        mona = person("mona")
        User.objects.filter(pk=mona.user.pk).update(is_staff=True)
        mona.user.groups.add(Role.objects.get(name="moderator"))
        assert self.send(mona.client, call, ids).status_code == call.stranger

    def test_by_who_is_suspended(self, call: Call, club, ids) -> None:
        for one in (club.owner, club.admin, club.member):
            User.objects.filter(pk=one.user.pk).update(is_active=False)
            check_refusal(self.send(one.client, call, ids), 403, "suspended")

    def test_of_a_group_that_is_not_there(self, call: Call, club, ids) -> None:
        if "{group}" in call.path:
            answer = self.send(club.owner.client, call, ids | {"group": "grp-ffffffffffff"})
            check_refusal(answer, 404, "not_found")

    def test_of_a_group_that_was_deleted(self, call: Call, club, ids) -> None:
        club.owner.client.delete(club.address)
        if call.former is not None:
            assert self.send(club.owner.client, call, ids).status_code == call.owner, "she keeps what was hers"
        elif "{group}" in call.path:
            check_refusal(self.send(club.owner.client, call, ids), 404, "not_found")
        elif "{token}" in call.path:
            check_refusal(self.send(club.owner.client, call, ids), 404, "invite_invalid")


def test_the_table_has_every_call_about_groups() -> None:
    tabled = {(call.method, re.sub(r"{\w+}", "{}", call.path)) for call in CALLS}
    for template, methods in schema_paths().items():
        path = re.sub(r"{\w+}", "{}", template.removeprefix("/api/"))
        if "{group_id}" in template or path.startswith(("groups", "invite", "history", "message")):
            assert {(method, path) for method in methods} <= tabled


@pytest.mark.parametrize("path", ["grp-1", "grp-FFFFFFFFFFFF", "usr-0123456789ab", "grp-0123456789ab/x"])
def test_what_is_no_id_is_no_address(group_log, ada, path: str) -> None:
    check_refusal(ada.client.get(f"/api/groups/{path}"), 404, "not_found")
