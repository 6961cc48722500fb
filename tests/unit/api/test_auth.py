"""Getting in and out over REST."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.credentials import TICKET_KEY, hash_secret
from apps.accounts.models import Device, User
from apps.accounts.services.devices import MAX_DEVICES
from apps.protocol.ids import is_device_id, is_user_id
from apps.valkey.pools import sync_client

PASSWORD = "correct horse battery"


def by_token(token: str) -> APIClient:
    """Return a client that sends the token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def test_registering_gives_a_token_that_works(anonymous: APIClient) -> None:
    body = {"username": "Eve", "password": PASSWORD, "display_name": "Eve Adams", "device_name": "phone"}
    response = anonymous.post("/api/auth/register", body, format="json")
    assert response.status_code == 201
    answer = response.json()
    assert set(answer) == {"token", "user_id", "device_id"}
    assert is_user_id(answer["user_id"])
    assert is_device_id(answer["device_id"])
    me = by_token(answer["token"]).get("/api/user/me").json()
    assert (me["user_id"], me["device_id"]) == (answer["user_id"], answer["device_id"])
    assert (me["username"], me["display_name"]) == ("Eve", "Eve Adams")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": "ADA"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "x" * 300}, "username"),
        ({"password": "12345678"}, "password"),
        ({"password": "x" * 2000}, "password"),
        ({"display_name": "x" * 65}, "display_name"),
        ({"device_name": "x" * 65}, "device_name"),
    ],
)
def test_what_registering_refuses_is_named_by_field(ada, anonymous: APIClient, change: dict, field: str) -> None:
    body = {"username": "eve", "password": PASSWORD} | change
    response = anonymous.post("/api/auth/register", body, format="json")
    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    assert set(response.json()["fields"]) == {field}
    assert User.objects.count() == 1


def test_registering_too_often_is_throttled(anonymous: APIClient, settings) -> None:
    settings.REGISTRATIONS_PER_MINUTE_PER_ADDRESS = 1
    anonymous.post("/api/auth/register", {"username": "eve1", "password": PASSWORD}, format="json")
    response = anonymous.post("/api/auth/register", {"username": "eve2", "password": PASSWORD}, format="json")
    assert (response.status_code, response.json()["code"]) == (429, "throttled")
    assert response["Retry-After"] == "60"


def test_every_login_is_a_device_of_its_own(ada, anonymous: APIClient) -> None:
    answers = [
        anonymous.post("/api/auth/login", {"username": "ADA", "password": PASSWORD}, format="json").json()
        for _ in range(2)
    ]
    assert {answer["user_id"] for answer in answers} == {ada.user.pk}
    assert len({answer["device_id"] for answer in answers} | {ada.device.pk}) == 3
    assert len({answer["token"] for answer in answers}) == 2


@pytest.mark.parametrize("body", [{"username": "ada", "password": "wrong"}, {"username": "eve", "password": PASSWORD}])
def test_a_wrong_login_is_a_401_that_does_not_say_what_was_wrong(ada, anonymous: APIClient, body: dict) -> None:
    response = anonymous.post("/api/auth/login", body, format="json")
    assert response.status_code == 401
    assert response.json() == {"code": "invalid_credentials", "message": "Username and password do not match."}


def test_guessing_is_throttled_with_a_clear_answer(ada, anonymous: APIClient) -> None:
    guess = {"username": "ada", "password": "wrong"}
    codes = [anonymous.post("/api/auth/login", guess, format="json").status_code for _ in range(10)]
    assert codes == [401] * 9 + [429]
    response = anonymous.post("/api/auth/login", {"username": "ada", "password": PASSWORD}, format="json")
    assert (response.status_code, response.json()["code"]) == (429, "throttled")
    assert response["Retry-After"] == "900"
    assert response["Content-Type"] == "application/json"
    assert ada.client.get("/api/user/me").status_code == 200


def test_a_device_too_many_is_a_409(ada, anonymous: APIClient) -> None:
    Device.objects.bulk_create(
        Device(user=ada.user, name="old", kind=Device.Kind.TOKEN, credential_hash=str(number))
        for number in range(MAX_DEVICES)
    )
    response = anonymous.post("/api/auth/login", {"username": "ada", "password": PASSWORD}, format="json")
    assert (response.status_code, response.json()["code"]) == (409, "too_many_devices")


def test_logging_out_kills_the_token(ada) -> None:
    assert ada.client.post("/api/auth/logout").status_code == 204
    assert ada.client.get("/api/user/me").status_code == 401
    assert not Device.objects.exists()


def test_a_ticket_is_of_the_asking_device(ada, cache_valkey: str) -> None:
    answer = ada.client.post("/api/auth/ticket").json()
    assert answer["expires_in"] == 30
    value = sync_client(cache_valkey).get(TICKET_KEY.format(digest=hash_secret(answer["ticket"])))
    assert value == ada.device.credential_hash


def test_a_new_password_changes_the_token_and_logs_the_others_out(ada, anonymous: APIClient) -> None:
    login = anonymous.post("/api/auth/login", {"username": "ada", "password": PASSWORD}, format="json").json()
    body = {"old_password": PASSWORD, "new_password": "staple battery horse"}
    answer = ada.client.post("/api/auth/password", body, format="json").json()
    assert (answer["user_id"], answer["device_id"]) == (ada.user.pk, ada.device.pk)
    assert by_token(answer["token"]).get("/api/user/me").status_code == 200
    assert ada.client.get("/api/user/me").status_code == 401
    assert by_token(login["token"]).get("/api/user/me").status_code == 401


def test_an_expired_session_device_cannot_use_its_hash_as_token(ada) -> None:
    Device.objects.create(
        user=ada.user,
        kind=Device.Kind.SESSION,
        session_key="session-key",
        credential_hash=hash_secret("session-key"),
        expires_at=timezone.now() + timedelta(days=1),
    )
    assert by_token("session-key").get("/api/user/me").status_code == 401
