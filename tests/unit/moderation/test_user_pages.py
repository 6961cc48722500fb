"""The admin's pages of users: they work, and what they do goes through the services and into the audit log."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from apps.accounts.errors import AccountSuspendedError
from apps.accounts.models import Device, User
from apps.accounts.services import authenticate_user, log_in_device
from apps.moderation.middleware import ADMIN_POLICY
from apps.moderation.models import AuditEntry
from apps.moderation.services import report_spammer

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("cache_valkey")


@pytest.fixture
def root(make_staff: Callable[[str], User], browser_of: Callable[[User], Client]) -> Client:
    """Return a browser of a superuser."""
    return browser_of(make_staff("superuser"))


@pytest.fixture
def desk(moderator: User, browser_of: Callable[[User], Client]) -> Client:
    """Return a browser of a moderator."""
    return browser_of(moderator)


def audit() -> list[tuple[str, str, str, str]]:
    """What stands in the audit log, oldest first."""
    return list(AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "target", "reason"))


@pytest.mark.parametrize("path", ["?q=ada", "add/", "{ada}/change/", "{ada}/password/"])
def test_the_pages_of_users_open(root: Client, ada: User, path: str) -> None:
    response = root.get(f"/admin/accounts/user/{path.format(ada=ada.pk)}")
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"] == ADMIN_POLICY
    assert b"<script>" not in response.content, "the policy forbids scripts that stand in a page"


def test_a_user_is_found_by_the_whole_id(desk: Client, ada: User, bob: User) -> None:
    page = desk.get("/admin/accounts/user/", {"q": ada.pk}).content.decode()
    assert ada.pk in page
    assert bob.pk not in page


def test_a_moderator_sees_devices_and_figures_but_neither_password_nor_rights(desk: Client, ada: User) -> None:
    log_in_device(ada, "the old laptop")
    page = desk.get(f"/admin/accounts/user/{ada.pk}/change/").content.decode()
    assert "the old laptop" in page
    assert "nothing was found" in page
    assert "Messages in the last minute" in page
    assert "md5$" not in page
    assert "Superuser status" not in page


@pytest.mark.parametrize("path", ["add/", "{ada}/password/", "{ada}/delete/"])
def test_a_moderator_changes_no_fields(desk: Client, ada: User, path: str) -> None:
    assert desk.get(f"/admin/accounts/user/{path.format(ada=ada.pk)}").status_code == 403


def test_a_moderator_cannot_make_himself_a_superuser(desk: Client, moderator: User) -> None:
    desk.post(f"/admin/accounts/user/{moderator.pk}/change/", {"is_superuser": "on", "is_staff": "on"})
    moderator.refresh_from_db()
    assert not moderator.is_superuser


def test_a_user_cannot_be_deleted_there(root: Client, ada: User) -> None:
    assert root.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_user_can_be_added_there(root: Client) -> None:
    form = {"username": "grace", "display_name": "Grace", "password1": PASSWORD, "password2": PASSWORD}
    assert root.post("/admin/accounts/user/add/", form | {"usable_password": "true"}).status_code == 302
    grace = User.objects.get(username="grace")
    assert grace.check_password(PASSWORD)
    assert audit() == [("superuser", "add user", grace.pk, "")]


def test_suspending_asks_why_closes_the_sockets_and_tells_the_user(
    desk: Client,
    ada: User,
    control_events: Callable[[], list[tuple[str, str]]],
    browser_request: Callable[[], object],
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    path = f"/admin/accounts/user/{ada.pk}/suspend/"
    assert b"Reason, which the user reads" in desk.get(path).content
    assert desk.post(path, {"reason": " "}).status_code == 200, "without a reason nothing is done"
    with django_capture_on_commit_callbacks(execute=True):
        assert desk.post(path, {"reason": "sends spam"}).status_code == 302
    ada.refresh_from_db()
    assert not ada.is_active
    assert ("user_revoked", ada.pk) in control_events()
    with pytest.raises(AccountSuspendedError, match="sends spam"):
        authenticate_user(browser_request(), username="ada", password=PASSWORD)  # type: ignore[arg-type]
    assert audit() == [("moderator", "suspend", ada.pk, "sends spam")]


def test_a_suspension_is_lifted_there(desk: Client, ada: User) -> None:
    desk.post(f"/admin/accounts/user/{ada.pk}/suspend/", {"reason": "sends spam"})
    assert b"/lift/" in desk.get(f"/admin/accounts/user/{ada.pk}/change/").content
    desk.post(f"/admin/accounts/user/{ada.pk}/lift/", {"reason": "it was somebody else"})
    ada.refresh_from_db()
    assert ada.is_active
    assert not ada.suspension_reason
    assert audit()[-1] == ("moderator", "lift suspension", ada.pk, "it was somebody else")


def test_a_limit_of_the_spam_scorer_is_shown_and_lifted_there(desk: Client, ada: User) -> None:
    change = f"/admin/accounts/user/{ada.pk}/change/"
    assert b"/lift-limit/" not in desk.get(change).content
    report_spammer(ada.pk, points=1.2, reason="wrote to 120 people")
    page = desk.get(change).content.decode()
    assert "at most 5 messages a minute until" in page
    assert "limited once, the last time for: wrote to 120 people" in page
    assert "/lift-limit/" in page
    desk.post(f"/admin/accounts/user/{ada.pk}/lift-limit/", {"reason": "runs a club"})
    page = desk.get(change).content.decode()
    assert "not limited; a moderator lifted it" in page
    assert "/lift-limit/" not in page
    assert audit() == [("moderator", "lift message limit", ada.pk, "runs a club")]


def test_ending_all_sessions_removes_every_device(
    desk: Client,
    ada: User,
    control_events: Callable[[], list[tuple[str, str]]],
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    log_in_device(ada, "phone")
    log_in_device(ada, "laptop")
    with django_capture_on_commit_callbacks(execute=True):
        desk.post(f"/admin/accounts/user/{ada.pk}/end-sessions/", {"reason": "stolen phone"})
    assert not Device.objects.filter(user=ada).exists()
    assert {("devices_revoked", ada.pk), ("user_disconnected", ada.pk)} <= set(control_events())
    assert audit() == [("moderator", "end sessions", ada.pk, "stolen phone")]


def test_moderators_do_not_act_on_each_other_nor_on_themselves(
    desk: Client, moderator: User, make_staff: Callable[[str], User]
) -> None:
    for user in (moderator, make_staff("operator"), make_staff("superuser")):
        response = desk.post(f"/admin/accounts/user/{user.pk}/suspend/", {"reason": "a quarrel"})
        assert response.status_code == 200
        user.refresh_from_db()
        assert user.is_active
    assert audit() == []


def test_who_may_only_read_decides_nothing(
    make_staff: Callable[[str], User], browser_of: Callable[[User], Client], ada: User
) -> None:
    reader = browser_of(make_staff("read-only"))
    page = reader.get(f"/admin/accounts/user/{ada.pk}/change/")
    assert page.status_code == 200
    assert b"/suspend/" not in page.content
    assert reader.post(f"/admin/accounts/user/{ada.pk}/suspend/", {"reason": "x"}).status_code == 403


def test_a_password_set_there_logs_the_devices_out(root: Client, ada: User) -> None:
    log_in_device(ada, "laptop")
    form = {"password1": "another battery horse", "password2": "another battery horse", "usable_password": "true"}
    response = root.post(f"/admin/accounts/user/{ada.pk}/password/", form)
    assert response.status_code == 302
    assert not Device.objects.filter(user=ada).exists()
    assert audit() == [("superuser", "change user", ada.pk, "password")]


def test_the_audit_log_says_which_rights_were_given_and_taken(root: Client, ada: User) -> None:
    operator, moderator = (Group.objects.get(name=name) for name in ("operator", "moderator"))
    ada.groups.add(operator)
    form = {
        "username": "ada",
        "display_name": "Ada L.",
        "is_staff": "on",
        "groups": [str(moderator.pk)],
        **{
            f"{prefix}-{total}_FORMS": "0"
            for prefix in ("devices", "memberships", "warnings")
            for total in ("TOTAL", "INITIAL")
        },
    }
    assert root.post(f"/admin/accounts/user/{ada.pk}/change/", form).status_code == 302
    assert set(ada.groups.all()) == {moderator}
    [entry] = audit()
    assert entry[:3] == ("superuser", "change user", ada.pk)
    assert entry[3] == "display name, staff: no to yes, moderator roles: +moderator -operator"


def test_the_audit_log_says_which_permissions_a_group_got(root: Client) -> None:
    group = Group.objects.get(name="read-only")
    kept = list(group.permissions.exclude(codename="view_live_figures"))
    added = Permission.objects.get(codename="suspend_user")
    taken = group.permissions.get(codename="view_live_figures")
    form = {"name": group.name, "permissions": [str(one.pk) for one in (*kept, added)]}
    assert root.post(f"/admin/auth/group/{group.pk}/change/", form).status_code == 302
    [entry] = audit()
    assert entry[:3] == ("superuser", "change role", "read-only")
    assert entry[3] == f"permissions: +{added} -{taken}"


def test_its_door_lets_staff_in_and_nobody_else(ada: User) -> None:
    User.objects.create_superuser("root", PASSWORD)
    door = "/admin/login/?next=/admin/"
    assert Client().post(door, {"username": "root", "password": PASSWORD}).status_code == 302
    assert b"staff account" in Client().post(door, {"username": "ada", "password": PASSWORD}).content
    assert Client().post(door, {"username": "root", "password": "wrong"}).status_code == 200


def test_its_door_has_the_limit_of_all_doors(db: None, client: Client, settings) -> None:
    settings.LOGINS_PER_MINUTE_PER_ADDRESS = 3
    answers = [
        client.post("/admin/login/", {"username": f"n{one}", "password": "x"}).content
        for one in range(settings.LOGINS_PER_MINUTE_PER_ADDRESS + 1)
    ]
    assert b"Too many" not in answers[0]
    assert b"Too many" in answers[-1]


def test_who_is_limited_now_is_marked_in_the_list_and_can_be_asked_for(desk: Client, ada: User, bob: User) -> None:
    report_spammer(ada.pk, points=1.2, reason="wrote to 120 people")
    everybody = desk.get("/admin/accounts/user/").content.decode()
    assert "Limited" in everybody
    limited = desk.get("/admin/accounts/user/?limited=yes").content.decode()
    assert ada.pk in limited
    assert bob.pk not in limited


def test_the_history_of_a_user_is_in_the_audit_log(desk: Client, ada: User, bob: User) -> None:
    for user in (ada, bob):
        desk.post(f"/admin/accounts/user/{user.pk}/end-sessions/", {"reason": f"for {user.username}"})
    page = desk.get(f"/admin/accounts/user/{ada.pk}/history/", follow=True).content.decode()
    assert "for ada" in page
    assert "for bob" not in page
