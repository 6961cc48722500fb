"""Members over REST: they come, go and get roles, and large groups are read by pages."""

from typing import Any

import pytest

from apps.accounts.models import Block
from apps.groups import rules
from tests.unit.api.test_groups import NOBODY, check_refusal, present
from tests.unit.api.test_people import read_all


def test_members_are_listed_by_pages_in_the_order_they_joined(club, monkeypatch) -> None:
    monkeypatch.setattr("apps.api.group_members.PAGE_SIZE", 2)
    found = read_all(club.member.client, f"{club.address}/members")
    assert [(one["username"], one["role"]) for one in found] == [
        ("ada", "owner"),
        ("bob", "admin"),
        ("carol", "member"),
    ]
    assert set(found[0]) == {"user_id", "username", "display_name", "avatar_color", "role"}


def test_people_are_added_and_the_group_is_answered(club) -> None:
    asked = {"user_ids": [club.stranger.user.pk, club.member.user.pk, club.stranger.user.pk]}
    answer = club.admin.client.post(f"{club.address}/members", asked, format="json")
    body = answer.json()
    assert (answer.status_code, body["member_count"], body["version"]) == (201, 4, 3)
    assert present(club)["eve"] == "member"
    again = club.admin.client.post(f"{club.address}/members", asked, format="json")
    check_refusal(again, 409, "conflict")


@pytest.mark.parametrize("wrong", [[], [NOBODY], [1], "usr", None, ["x" * 17], [NOBODY] * 501])
def test_who_cannot_be_added_is_told_why(club, wrong: object) -> None:
    answer = club.owner.client.post(f"{club.address}/members", {"user_ids": wrong}, format="json")
    assert set(check_refusal(answer, 400, "invalid")["fields"]) == {"user_ids"}


def test_who_has_blocked_the_one_that_adds_is_named(club) -> None:
    Block.objects.create(owner=club.stranger.user, person=club.admin.user)
    asked = {"user_ids": [club.stranger.user.pk]}
    answer = club.admin.client.post(f"{club.address}/members", asked, format="json")
    [reason] = check_refusal(answer, 403, "forbidden")["fields"]["user_ids"]
    assert club.stranger.user.pk in reason
    assert club.owner.client.post(f"{club.address}/members", asked, format="json").status_code == 201


def test_a_full_group_takes_nobody(club, monkeypatch) -> None:
    monkeypatch.setattr(rules, "MAX_MEMBERS", 3)
    answer = club.owner.client.post(f"{club.address}/members", {"user_ids": [club.stranger.user.pk]}, format="json")
    check_refusal(answer, 409, "group_full")


def test_the_owner_gives_roles(club) -> None:
    address = f"{club.address}/members/{club.member.user.pk}"
    answer = club.owner.client.patch(address, {"role": "admin"}, format="json")
    body = answer.json()
    assert (answer.status_code, body["user_id"], body["role"]) == (200, club.member.user.pk, "admin")
    check_refusal(club.owner.client.patch(address, {"role": "admin"}, format="json"), 409, "conflict")


def test_an_owner_who_hands_over_is_an_admin_and_may_leave(club) -> None:
    mine = f"{club.address}/members/{club.owner.user.pk}"
    check_refusal(club.owner.client.delete(mine), 409, "owner_must_hand_over")
    address = f"{club.address}/members/{club.member.user.pk}"
    assert club.owner.client.patch(address, {"role": "owner"}, format="json").json()["role"] == "owner"
    assert present(club) == {"ada": "admin", "bob": "admin", "carol": "owner"}
    assert club.owner.client.delete(mine).status_code == 204
    check_refusal(club.owner.client.get(club.address), 404, "not_found")


@pytest.mark.parametrize("role", ["king", "", None, 1, ["admin"], {"role": "admin"}])
def test_other_roles_there_are_none(club, role: Any) -> None:
    address = f"{club.address}/members/{club.member.user.pk}"
    answer = club.owner.client.patch(address, {"role": role}, format="json")
    assert set(check_refusal(answer, 400, "invalid")["fields"]) == {"role"}


def test_somebody_who_is_no_member_has_no_role_and_cannot_be_removed(club) -> None:
    for other in (club.stranger.user.pk, NOBODY):
        address = f"{club.address}/members/{other}"
        check_refusal(club.owner.client.patch(address, {"role": "admin"}, format="json"), 404, "not_found")
        check_refusal(club.owner.client.delete(address), 404, "not_found")


def test_a_member_who_is_removed_finds_the_group_no_more_and_may_be_added_again(club) -> None:
    assert club.admin.client.delete(f"{club.address}/members/{club.member.user.pk}").status_code == 204
    check_refusal(club.member.client.get(club.address), 404, "not_found")
    assert club.member.client.get("/api/groups").json()["results"] == []
    asked = {"user_ids": [club.member.user.pk]}
    assert club.admin.client.post(f"{club.address}/members", asked, format="json").status_code == 201
    assert club.member.client.get(club.address).json()["role"] == "member"


def test_the_last_one_who_leaves_ends_the_group(club) -> None:
    for one in (club.member, club.admin, club.owner):
        assert one.client.delete(f"{club.address}/members/{one.user.pk}").status_code == 204
    check_refusal(club.owner.client.get(club.address), 404, "not_found")


def test_of_two_who_are_at_odds_the_first_on_the_log_has_their_way(club, group_log) -> None:
    mine, theirs = (f"{club.address}/members/{one.user.pk}" for one in (club.owner, club.admin))
    group_log.meanwhile = lambda: club.owner.client.patch(theirs, {"role": "owner"}, format="json")
    answer = club.owner.client.delete(theirs)
    check_refusal(answer, 403, "forbidden")
    assert club.admin.client.delete(mine).status_code == 204
    assert present(club) == {"bob": "owner", "carol": "member"}


def test_one_who_joins_twice_at_the_same_moment_joins_once(club, group_log) -> None:
    asked = {"user_ids": [club.stranger.user.pk]}
    group_log.meanwhile = lambda: club.admin.client.post(f"{club.address}/members", asked, format="json")
    check_refusal(club.owner.client.post(f"{club.address}/members", asked, format="json"), 409, "conflict")
    assert club.owner.client.get(club.address).json()["member_count"] == 4
