"""The API in a browser: by session cookie, with CSRF enforced."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from rest_framework.test import APIClient

from apps.accounts.models import Device, User
from apps.accounts.services import log_in_session

PASSWORD = "correct horse battery"
CSRF_SECRET = "x" * 32


def log_in(client: APIClient, user: User) -> Device:
    """Log the client's session in, as the login page does."""
    request = HttpRequest()
    request.session = client.session
    request.user = AnonymousUser()
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    device = log_in_session(request, user)
    client.cookies["sessionid"] = request.session.session_key
    client.cookies["csrftoken"] = CSRF_SECRET
    return device


@pytest.fixture
def browser(ada) -> APIClient:
    """Return a client with Ada's session, which checks CSRF as a server does."""
    client = APIClient(enforce_csrf_checks=True)
    log_in(client, ada.user)
    return client


def test_a_session_is_a_device_of_its_own(ada, browser: APIClient) -> None:
    me = browser.get("/api/user/me").json()
    assert me["user_id"] == ada.user.pk
    assert me["device_id"] == Device.objects.get(kind=Device.Kind.SESSION).pk


def test_a_change_needs_the_csrf_token(browser: APIClient) -> None:
    body = {"display_name": "Countess"}
    refused = browser.patch("/api/user/me", body, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    taken = browser.patch("/api/user/me", body, format="json", headers={"x-csrftoken": CSRF_SECRET})
    assert taken.json()["display_name"] == "Countess"


def test_a_token_needs_no_csrf_token(ada) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Token {ada.token}")
    assert client.post("/api/auth/ticket").status_code == 200


def test_a_wrong_token_is_not_saved_by_the_session(browser: APIClient) -> None:
    assert browser.get("/api/user/me", headers={"authorization": "Token wrong"}).status_code == 401


def test_a_session_without_a_device_is_nobody(ada) -> None:
    client = APIClient()
    client.force_login(ada.user, "django.contrib.auth.backends.ModelBackend")
    assert client.get("/api/user/me").status_code == 401


def test_a_session_that_ended_is_nobody(browser: APIClient) -> None:
    Session.objects.all().delete()
    assert browser.get("/api/user/me").status_code == 401


def test_the_session_of_a_suspended_user_is_told_so(ada, browser: APIClient) -> None:
    User.objects.update(is_active=False)
    response = browser.get("/api/user/me")
    assert (response.status_code, response.json()["code"]) == (403, "suspended")


def test_logging_out_ends_the_session(browser: APIClient) -> None:
    response = browser.post("/api/auth/logout", headers={"x-csrftoken": CSRF_SECRET})
    assert response.status_code == 204
    assert not Session.objects.exists()
    assert not Device.objects.filter(kind=Device.Kind.SESSION).exists()


def test_removing_the_device_from_elsewhere_ends_the_session(ada, browser: APIClient) -> None:
    device = Device.objects.get(kind=Device.Kind.SESSION)
    assert ada.client.delete(f"/api/devices/{device.pk}").status_code == 204
    assert not Session.objects.exists()
    assert browser.get("/api/user/me").status_code == 401


def test_a_new_password_keeps_the_asking_session(ada, browser: APIClient) -> None:
    device = Device.objects.get(kind=Device.Kind.SESSION)
    body = {"old_password": PASSWORD, "new_password": "staple battery horse"}
    response = browser.post("/api/auth/password", body, format="json", headers={"x-csrftoken": CSRF_SECRET})
    assert response.json() == {"token": None, "user_id": ada.user.pk, "device_id": device.pk}
    assert browser.get("/api/user/me").json()["device_id"] == device.pk
    assert ada.client.get("/api/user/me").status_code == 401
