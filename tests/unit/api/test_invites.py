"""Invites over REST: the token is shown once, and leads into one group as long as it may."""

import logging
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from apps.accounts.credentials import new_secret
from apps.groups import rules
from apps.groups.changes import MODERATOR
from apps.groups.kinds import Kind
from apps.groups.models import Invite
from apps.groups.services import submit_change
from apps.observability.logs import TextFormatter
from tests.unit.api.test_groups import check_refusal, present

DAY_MS = 86_400_000


def make(club, **body: int):
    """A new invite."""
    answer = club.admin.client.post(f"{club.address}/invite", body, format="json")
    assert answer.status_code == 201
    return answer.json()


def test_an_invite_is_shown_once_with_its_link(club) -> None:
    before = timezone.now().timestamp() * 1000
    new = make(club)
    link = urlsplit(new["invite_url"])
    assert (link.scheme, link.netloc, link.path, link.query) == ("http", "testserver", "/join/", "")
    assert link.fragment == new["token"], "browsers send it to no server"
    assert len(new["token"]) == 43
    assert new["created_by"] == club.admin.user.pk
    assert new["expires_at"] - before == pytest.approx(7 * DAY_MS, abs=10_000)
    [shown] = club.owner.client.get(f"{club.address}/invite").json()["results"]
    assert shown == {name: new[name] for name in ("number", "created_by", "created_at", "expires_at")}
    assert new["token"] not in str(Invite.objects.values())


def test_an_invite_lasts_as_long_as_is_asked_for(club) -> None:
    new = make(club, expires_in=3600)
    assert new["expires_at"] - new["created_at"] == pytest.approx(3_600_000, abs=1_000)


@pytest.mark.parametrize("seconds", [0, -1, 3599, 30 * 86_400 + 1, "3600", 3600.0, True, None, 2**70])
def test_an_invite_that_lasts_too_short_or_too_long_is_refused(club, seconds: object) -> None:
    answer = club.owner.client.post(f"{club.address}/invite", {"expires_in": seconds}, format="json")
    assert set(check_refusal(answer, 400, "invalid")["fields"]) == {"expires_in"}


def test_a_group_has_so_many_invites_and_no_more(club, monkeypatch) -> None:
    monkeypatch.setattr("apps.groups.services.invites.MAX_INVITES", 1)
    number = make(club)["number"]
    check_refusal(club.owner.client.post(f"{club.address}/invite", {}, format="json"), 409, "too_many_invites")
    club.owner.client.delete(f"{club.address}/invite/{number}")
    make(club)


def test_whoever_has_it_sees_the_group_and_joins(club) -> None:
    address = f"/api/invite/{make(club)['token']}"
    preview = club.stranger.client.get(address).json()
    expires_at = preview.pop("expires_at")
    assert expires_at > timezone.now().timestamp() * 1000
    assert preview == {"group_id": club.group_id, "name": "Chess", "picture": "", "member_count": 3}
    answer = club.stranger.client.post(address)
    body = answer.json()
    assert (answer.status_code, body["role"], body["member_count"]) == (201, "member", 4)
    assert [one["username"] for one in body["members"]] == ["ada", "bob", "carol", "eve"]
    check_refusal(club.stranger.client.post(address), 409, "conflict")


def test_who_was_removed_may_come_back_by_an_invite(club) -> None:
    address = f"/api/invite/{make(club)['token']}"
    club.owner.client.delete(f"{club.address}/members/{club.member.user.pk}")
    assert club.member.client.post(address).status_code == 201


def test_one_that_is_revoked_run_out_or_unknown_leads_nowhere(club) -> None:
    revoked, late = make(club), make(club)
    assert club.owner.client.delete(f"{club.address}/invite/{revoked['number']}").status_code == 204
    check_refusal(club.owner.client.delete(f"{club.address}/invite/{revoked['number']}"), 404, "not_found")
    Invite.objects.filter(pk=late["number"]).update(expires_at=timezone.now() - timedelta(seconds=1))
    for token in (revoked["token"], late["token"], new_secret()):
        for method in ("get", "post"):
            answer = getattr(club.stranger.client, method)(f"/api/invite/{token}")
            check_refusal(answer, 404, "invite_invalid")
    assert club.owner.client.get(f"{club.address}/invite").json() == {"results": [], "next": None}
    assert "eve" not in present(club)


@pytest.mark.parametrize("token", ["x", "x" * 42, "x" * 44, "x" * 42 + "%2F", "x" * 42 + ".", "%00" * 43])
def test_what_is_no_token_is_no_address(club, token: str) -> None:
    check_refusal(club.stranger.client.get(f"/api/invite/{token}"), 404, "not_found")


@pytest.mark.parametrize("number", ["0", "999999", "9" * 40])
def test_an_invite_that_is_not_there_cannot_be_revoked(club, number: str) -> None:
    check_refusal(club.owner.client.delete(f"{club.address}/invite/{number}"), 404, "not_found")


def test_an_invite_of_another_group_cannot_be_revoked(club) -> None:
    other = club.stranger.client.post("/api/groups", {"name": "Go"}, format="json").json()["group_id"]
    number = club.stranger.client.post(f"/api/groups/{other}/invite", {}, format="json").json()["number"]
    check_refusal(club.owner.client.delete(f"{club.address}/invite/{number}"), 404, "not_found")
    assert Invite.objects.get(pk=number).revoked_at is None


def test_an_invite_that_is_revoked_while_somebody_follows_it_leads_nowhere(club, group_log) -> None:
    new = make(club)
    group_log.meanwhile = lambda: club.owner.client.delete(f"{club.address}/invite/{new['number']}")
    check_refusal(club.stranger.client.post(f"/api/invite/{new['token']}"), 404, "invite_invalid")


def test_nobody_joins_a_full_or_frozen_group_or_one_too_many(club, monkeypatch) -> None:
    address = f"/api/invite/{make(club)['token']}"
    with monkeypatch.context() as patch:
        patch.setattr(rules, "MAX_MEMBERS", 3)
        check_refusal(club.stranger.client.post(address), 409, "group_full")
    with monkeypatch.context() as patch:
        patch.setattr("apps.groups.validation.MAX_GROUPS", 1)
        club.stranger.client.post("/api/groups", {"name": "Mine"}, format="json")
        check_refusal(club.stranger.client.post(address), 409, "too_many_groups")
    submit_change(Kind.FROZEN, club.group_id, by=MODERATOR, details={"reason": "spam"})
    check_refusal(club.stranger.client.post(address), 403, "frozen")


def test_a_token_stands_in_no_log_line(club, caplog: pytest.LogCaptureFixture) -> None:
    token = new_secret()
    with caplog.at_level(logging.DEBUG):
        club.stranger.client.get(f"/api/invite/{token}")
    lines = [TextFormatter().format(record) for record in caplog.records]
    assert any("/api/invite/" in line for line in lines), "Django tells of every 404"
    assert token not in "\n".join(lines)
