"""The admin: its pages work, and what it does goes through the services."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.attempts import LOGINS
from apps.accounts.models import Device, User
from apps.accounts.services import log_in_device

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("cache_valkey")


@pytest.fixture
def staff(db: None) -> Client:
    """Return a browser that is logged in as a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root", PASSWORD), "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("path", ["?q=ada", "add/", "{ada}/change/", "{ada}/password/"])
def test_the_pages_of_users_open(staff: Client, ada: User, path: str) -> None:
    assert staff.get(f"/admin/accounts/user/{path.format(ada=ada.pk)}").status_code == 200


def test_a_user_cannot_be_deleted_there(staff: Client, ada: User) -> None:
    assert staff.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_user_can_be_added_there(staff: Client) -> None:
    form = {"username": "grace", "display_name": "Grace", "password1": PASSWORD, "password2": PASSWORD}
    assert staff.post("/admin/accounts/user/add/", form | {"usable_password": "true"}).status_code == 302
    assert User.objects.get(username="grace").check_password(PASSWORD)


def test_suspending_there_closes_the_sockets(
    staff: Client, ada: User, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    for action, active in (("suspend", False), ("unsuspend", True)):
        with django_capture_on_commit_callbacks(execute=True):
            staff.post("/admin/accounts/user/", {"action": action, "_selected_action": [ada.pk]})
        ada.refresh_from_db()
        assert ada.is_active is active
    assert ("user_revoked", ada.pk, "", "suspended") in control_events()


def test_a_password_set_there_logs_the_devices_out(staff: Client, ada: User) -> None:
    log_in_device(ada, "laptop")
    form = {"password1": "another battery horse", "password2": "another battery horse", "usable_password": "true"}
    response = staff.post(f"/admin/accounts/user/{ada.pk}/password/", form)
    assert response.status_code == 302
    assert not Device.objects.filter(user=ada).exists()


def test_its_door_lets_staff_in_and_nobody_else(db: None, ada: User) -> None:
    User.objects.create_superuser("root", PASSWORD)
    door = "/admin/login/?next=/admin/"
    assert Client().post(door, {"username": "root", "password": PASSWORD}).status_code == 302
    assert b"staff account" in Client().post(door, {"username": "ada", "password": PASSWORD}).content
    assert Client().post(door, {"username": "root", "password": "wrong"}).status_code == 200


def test_its_door_has_the_limit_of_all_doors(db: None, client: Client) -> None:
    answers = [
        client.post("/admin/login/", {"username": f"n{one}", "password": "x"}).content
        for one in range(LOGINS.windows[0][1] + 1)
    ]
    assert b"Too many" not in answers[0]
    assert b"Too many" in answers[-1]
