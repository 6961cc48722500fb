"""The admin's pages of groups in which people write: what they show, and that decisions reach members over the log."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.groups.models import Group, Member
from apps.groups.selectors import list_invites
from apps.groups.services import add_members, change_role, create_group, create_invite, delete_group, leave_group
from apps.moderation.admin import memberships
from apps.moderation.admin.decisions import PENDING, UNKNOWN_OUTCOME
from apps.moderation.models import AuditEntry, Report
from tests.unit.groups.immediate_log import ImmediateLog, put_in_place


@pytest.fixture
def log(cache_valkey: str, monkeypatch: pytest.MonkeyPatch) -> ImmediateLog:
    """Return the log to which the services append."""
    return put_in_place(monkeypatch)


@pytest.fixture
def circle(log: ImmediateLog, ada: User, bob: User) -> str:
    """Return a group of Ada, who owns it, and Bob."""
    return create_group(ada.pk, "Circle of friends", [bob.pk])


@pytest.fixture
def desk(moderator: User, browser_of: Callable[[User], Client]) -> Client:
    """Return a browser of a moderator."""
    return browser_of(moderator)


def page_of(browser: Client, path: str) -> str:
    """A page, in one line."""
    response = browser.get(f"/admin/{path}")
    assert response.status_code == 200
    assert b"<script>" not in response.content, "the policy forbids scripts that stand in a page"
    return " ".join(response.content.decode().split())


def audit() -> list[tuple[str, str, str, str]]:
    """What stands in the audit log, oldest first."""
    return list(AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "target", "reason"))


def roles(group_id: str) -> dict[str, str]:
    """Who is a member now, and as what."""
    members = Member.objects.filter(group_id=group_id, to_sequence=None)
    return dict(members.values_list("user__username", "role"))


@pytest.mark.parametrize("term", ["circle of", "{group}", "BOB"])
def test_a_group_is_found_by_name_id_or_a_member(desk: Client, circle: str, ada: User, term: str) -> None:
    other = create_group(ada.pk, "Chess", [])
    page = page_of(desk, f"groups/group/?q={term.format(group=circle)}")
    assert page.count(f"/admin/groups/group/{circle}/change/") >= 1
    assert other not in page


def test_the_list_tells_frozen_deleted_and_polled_ones_apart(desk: Client, circle: str, ada: User) -> None:
    frozen, deleted, polled = (create_group(ada.pk, name, []) for name in ("Ice", "Dust", "Crowd"))
    Group.objects.filter(pk=frozen).update(frozen=True)
    Group.objects.filter(pk=polled).update(is_polled=True)
    delete_group(deleted, ada.pk)
    for chosen, expected in (("frozen__exact=1", frozen), ("deleted=yes", deleted), ("is_polled__exact=1", polled)):
        page = page_of(desk, f"groups/group/?{chosen}")
        assert [one for one in (circle, frozen, deleted, polled) if one in page] == [expected]
    assert deleted not in page_of(desk, "groups/group/?deleted=no")
    everything = page_of(desk, "groups/group/")
    assert all(state in everything for state in ("Active", "Frozen", "Deleted", "members poll", "pushed"))


def test_its_page_shows_members_with_roles_and_their_number(desk: Client, circle: str, ada: User, bob: User) -> None:
    page = page_of(desk, f"groups/group/{circle}/change/")
    assert "Circle of friends" in page
    for user in (ada, bob):
        assert f'href="/admin/accounts/user/{user.pk}/change/">{user.username}</a>' in page
    assert page.index(f"/{ada.pk}/change/") < page.index(f"/{bob.pk}/change/")
    assert f"/members/{bob.pk}/remove/" in page
    assert f"/members/{ada.pk}/" not in page, "the owner stays until the group is handed over"
    leave_group(circle, bob.pk)
    assert bob.pk not in page_of(desk, f"groups/group/{circle}/change/")


def test_many_members_are_paged_with_owner_and_admins_first(
    desk: Client, circle: str, ada: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memberships.MembersInline, "per_page", 2)
    cyd, dee = (User.objects.create_user(name) for name in ("cyd", "dee"))
    add_members(circle, ada.pk, [cyd.pk, dee.pk])
    change_role(circle, ada.pk, dee.pk, "admin")
    first = page_of(desk, f"groups/group/{circle}/change/")
    second = page_of(desk, f"groups/group/{circle}/change/?members-page=2")
    people = (ada, bob, cyd, dee)
    assert [user for user in people if f"user/{user.pk}/change" in first] == [ada, dee]
    assert [user for user in people if f"user/{user.pk}/change" in second] == [bob, cyd]


def test_a_user_page_shows_the_groups_that_the_user_is_in_now(desk: Client, circle: str, ada: User, bob: User) -> None:
    left = create_group(ada.pk, "Chess", [bob.pk])
    leave_group(left, bob.pk)
    page = page_of(desk, f"accounts/user/{bob.pk}/change/")
    assert f'href="/admin/groups/group/{circle}/change/">Circle of friends ({circle})</a>' in page
    assert f"/admin/groups/group/{circle}/members/{bob.pk}/remove/" in page
    assert left not in page


def test_freezing_asks_why_and_members_read_it(desk: Client, circle: str, log: ImmediateLog, moderator: User) -> None:
    path = f"/admin/groups/group/{circle}/freeze/"
    assert b"which the members read" in desk.get(path).content
    assert desk.post(path, {"reason": " "}).status_code == 200, "without a reason nothing is done"
    assert log.kinds() == ["created"]
    assert desk.post(path, {"reason": "floods"}).status_code == 302
    group = Group.objects.get(pk=circle)
    assert (group.frozen, group.freeze_reason) == (True, "floods")
    assert (log.records[-1].kind, log.records[-1].by) == ("frozen", "moderator")
    assert audit() == [("moderator", "freeze group", circle, "floods")]
    page = page_of(desk, f"groups/group/{circle}/change/")
    assert "/unfreeze/" in page
    assert "/freeze/" not in page.replace("/unfreeze/", "")
    desk.post(f"/admin/groups/group/{circle}/unfreeze/", {"reason": "they are calm"})
    assert not Group.objects.get(pk=circle).frozen
    assert audit()[-1] == ("moderator", "unfreeze group", circle, "they are calm")


def test_a_deleted_group_has_no_members_and_no_buttons(desk: Client, circle: str) -> None:
    path = f"/admin/groups/group/{circle}/end/"
    desk.get(path)
    assert Group.objects.get(pk=circle).deleted_at is None, "a link that somebody else made changes nothing"
    assert desk.post(path, {"reason": "sold pills"}).status_code == 302
    assert Group.objects.get(pk=circle).deleted_at is not None
    assert roles(circle) == {}
    assert audit() == [("moderator", "delete group", circle, "sold pills")]
    page = page_of(desk, f"groups/group/{circle}/change/")
    assert not [way for way in ("/freeze/", "/end/", "/remove/") if way in page]


def test_a_member_is_removed_with_an_entry_on_the_group_and_one_on_the_user(
    desk: Client, circle: str, bob: User, log: ImmediateLog
) -> None:
    path = f"/admin/groups/group/{circle}/members/{bob.pk}/remove/"
    assert b"Remove bob from this group" in desk.get(path).content
    assert desk.post(path, {"reason": "rude"}).status_code == 302
    assert roles(circle) == {"ada": "owner"}
    assert (log.records[-1].kind, log.records[-1].user_ids) == ("removed", (bob.pk,))
    assert audit() == [
        ("moderator", "remove from group", bob.pk, f"{circle}: rude"),
        ("moderator", "remove from group", circle, f"{bob.pk}: rude"),
    ]
    assert desk.post(path, {"reason": "rude"}).status_code == 404


@pytest.mark.parametrize(
    ("role", "expected"),
    [("admin", {"ada": "owner", "bob": "admin"}), ("owner", {"ada": "admin", "bob": "owner"})],
)
def test_a_role_is_given_and_a_group_handed_over(
    desk: Client, circle: str, bob: User, role: str, expected: dict[str, str]
) -> None:
    path = f"/admin/groups/group/{circle}/members/{bob.pk}/make-{role}/"
    assert desk.get(path).status_code == 200
    assert desk.post(path, {"reason": "ada is gone"}).status_code == 302
    assert roles(circle) == expected
    assert audit()[-1] == ("moderator", f"make {role} of group", circle, f"{bob.pk}: ada is gone")


@pytest.mark.parametrize(("way", "told"), [("remove", "hand it over"), ("make-member", "hand it over")])
def test_what_the_rules_refuse_is_told_and_leaves_no_entry(
    desk: Client, circle: str, ada: User, way: str, told: str
) -> None:
    response = desk.post(f"/admin/groups/group/{circle}/members/{ada.pk}/{way}/", {"reason": "x"})
    assert response.status_code == 200
    assert told in response.content.decode()
    assert roles(circle) == {"ada": "owner", "bob": "member"}
    assert audit() == []


def test_what_is_refused_in_the_end_has_a_second_entry_that_says_so(
    desk: Client, circle: str, bob: User, log: ImmediateLog
) -> None:
    log.meanwhile = lambda: leave_group(circle, bob.pk)
    response = desk.post(f"/admin/groups/group/{circle}/members/{bob.pk}/remove/", {"reason": "rude"})
    assert b"this user is no member of it" in response.content
    assert [entry[1:3] for entry in audit()] == [
        ("remove from group", bob.pk),
        ("remove from group", circle),
        ("change refused", bob.pk),
        ("change refused", circle),
    ]
    assert audit()[-1][3] == f"{bob.pk}: remove from group: not_found"


def test_a_change_that_is_late_says_so(
    desk: Client, circle: str, log: ImmediateLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.groups.services.submission.WAIT_SECONDS", 0.05)
    log.is_held = True
    response = desk.post(f"/admin/groups/group/{circle}/freeze/", {"reason": "floods"}, follow=True)
    assert PENDING.partition(":")[0] in response.content.decode()
    assert not Group.objects.get(pk=circle).frozen
    log.relay()
    assert Group.objects.get(pk=circle).frozen
    assert audit() == [("moderator", "freeze group", circle, "floods")]


def test_a_log_that_is_down_says_that_nobody_knows(desk: Client, circle: str, log: ImmediateLog) -> None:
    log.is_down = True
    response = desk.post(f"/admin/groups/group/{circle}/freeze/", {"reason": "floods"})
    assert response.status_code == 200
    assert UNKNOWN_OUTCOME in response.content.decode()
    assert audit() == [("moderator", "freeze group", circle, "floods")], "no deed without an entry"


def test_an_invite_is_revoked_there(desk: Client, circle: str, ada: User, bob: User) -> None:
    invite, token = create_invite(circle, ada.pk)
    page = page_of(desk, f"groups/group/{circle}/change/")
    path = f"/admin/groups/group/{circle}/invites/{invite.pk}/revoke/"
    assert path in page
    assert token not in page
    assert desk.get(path).status_code == 200
    assert desk.post(path, {"reason": "it is on a poster"}).status_code == 302
    assert list_invites(circle) == []
    assert audit() == [("moderator", "revoke invite", circle, f"number {invite.pk}: it is on a poster")]
    assert path not in page_of(desk, f"groups/group/{circle}/change/")
    assert b"There is no such invite" in desk.post(path, {"reason": "again"}).content


def test_reports_of_messages_to_it_are_listed(desk: Client, circle: str, ada: User, bob: User) -> None:
    report = Report.objects.create(
        reporter=bob, reported_user=ada, message_id="msg-1", group_id=circle, reason="sells <pills>"
    )
    other = Report.objects.create(reporter=bob, reported_user=ada, reason="rude")
    page = page_of(desk, f"groups/group/{circle}/change/")
    assert f"/admin/moderation/report/{report.pk}/change/" in page
    assert "sells &lt;pills&gt;" in page
    assert other.pk not in page
    assert f"/admin/groups/group/{circle}/change/" in page_of(desk, f"moderation/report/{report.pk}/change/")
    queue = page_of(desk, f"moderation/report/?q={circle}")
    assert report.pk in queue
    assert other.pk not in queue


def test_moderators_do_not_act_on_each_other_nor_on_themselves(
    desk: Client, circle: str, ada: User, moderator: User, make_staff: Callable[[str], User]
) -> None:
    staff = make_staff("operator")
    add_members(circle, ada.pk, [staff.pk, moderator.pk])
    for user in (staff, moderator):
        for way in ("remove", "make-owner"):
            desk.post(f"/admin/groups/group/{circle}/members/{user.pk}/{way}/", {"reason": "a quarrel"})
    assert roles(circle) == {"ada": "owner", "bob": "member", "operator": "member", "moderator": "member"}
    assert audit() == []


WAYS = ("freeze", "unfreeze", "end", "members/{bob}/remove", "members/{bob}/make-owner", "invites/{invite}/revoke")


def test_who_may_only_read_decides_nothing(
    make_staff: Callable[[str], User], browser_of: Callable[[User], Client], circle: str, ada: User, bob: User
) -> None:
    invite, _ = create_invite(circle, ada.pk)
    reader = browser_of(make_staff("read-only"))
    page = page_of(reader, f"groups/group/{circle}/change/")
    for way in WAYS:
        path = f"/admin/groups/group/{circle}/{way.format(bob=bob.pk, invite=invite.pk)}/"
        assert path not in page
        assert reader.post(path, {"reason": "x"}).status_code == 403
    assert roles(circle) == {"ada": "owner", "bob": "member"}
    assert list_invites(circle) == [invite]


def test_operators_see_no_groups(
    make_staff: Callable[[str], User], browser_of: Callable[[User], Client], circle: str, bob: User
) -> None:
    operator = browser_of(make_staff("operator"))
    assert operator.get(f"/admin/groups/group/{circle}/change/").status_code == 403
    assert circle not in page_of(operator, f"accounts/user/{bob.pk}/change/")
    assert "/admin/groups/group/" not in page_of(operator, "")


def test_nobody_adds_changes_or_deletes_the_row_itself(
    make_staff: Callable[[str], User], browser_of: Callable[[User], Client], circle: str
) -> None:
    root = browser_of(make_staff("superuser"))
    assert root.get("/admin/groups/group/add/").status_code == 403
    assert root.post(f"/admin/groups/group/{circle}/delete/", {"post": "yes"}).status_code == 403
    root.post(f"/admin/groups/group/{circle}/change/", {"name": "Mine"})
    assert Group.objects.get(pk=circle).name == "Circle of friends"


def test_groups_and_roles_have_names_of_their_own(
    make_staff: Callable[[str], User], browser_of: Callable[[User], Client], ada: User
) -> None:
    root = browser_of(make_staff("superuser"))
    start = page_of(root, "")
    assert start.index("/admin/groups/group/") < start.index("/admin/auth/group/")
    assert "Moderator roles" in start
    assert "Moderator roles" in page_of(root, "auth/group/").partition("</title>")[0]
    assert "Moderator roles" in page_of(root, f"accounts/user/{ada.pk}/change/")
    assert "moderator role" in page_of(root, "accounts/user/")


def test_the_history_of_a_group_is_in_the_audit_log(desk: Client, circle: str) -> None:
    desk.post(f"/admin/groups/group/{circle}/freeze/", {"reason": "floods the site"})
    response = desk.get(f"/admin/groups/group/{circle}/history/", follow=True)
    assert b"floods the site" in response.content
