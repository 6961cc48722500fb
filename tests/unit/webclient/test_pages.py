"""The pages before and around the chat, without a browser."""

import json
import re
from http import HTTPStatus

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.accounts.models import Device, User
from apps.accounts.services import register_user, suspend_user

PASSWORD = "correct-horse-9"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cache_valkey")]


def register(client: Client, **fields: str) -> HttpResponse:
    """Send the registration form, filled in well but for `fields`."""
    form = {"username": "ada", "display_name": "Ada L.", "password": PASSWORD, "confirm_password": PASSWORD}
    return client.post("/register/", form | fields)


def read_session(client: Client) -> dict[str, str]:
    """What the shell of the app tells the script."""
    page = client.get("/").content.decode()
    match = re.search(r'<script id="session" type="application/json">(.*?)</script>', page)
    assert match is not None
    session: dict[str, str] = json.loads(match[1])
    return session


def test_a_stranger_is_led_from_the_chat_to_the_login(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"].startswith("/login/")


def test_whoever_registers_is_logged_in_with_a_device(client: Client) -> None:
    response = register(client)
    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"] == "/"
    user = User.objects.get(username="ada")
    session = read_session(client)
    assert session["user_id"] == user.pk
    assert session["device_id"] == Device.objects.get(user=user).pk
    assert session["display_name"] == "Ada L."
    assert session["csrf_token"]


def test_without_a_display_name_the_username_is_shown(client: Client) -> None:
    register(client, display_name="")
    assert read_session(client)["display_name"] == "ada"


def test_a_page_that_is_opened_twice_is_one_device(client: Client) -> None:
    register(client)
    assert read_session(client)["device_id"] == read_session(client)["device_id"]
    assert Device.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("username", "a b", "A username has 3 to 32 letters"),
        ("username", "", "This field is required."),
        ("display_name", "x" * 65, "at most 64 characters"),
        ("password", "12345678", "This password is too common."),
        ("confirm_password", "something-else", "The two passwords are not the same."),
    ],
)
def test_a_registration_that_cannot_be_taken_says_why_at_the_field(
    client: Client, field: str, value: str, reason: str
) -> None:
    fields = {field: value} | ({"confirm_password": value} if field == "password" else {})
    response = register(client, **fields)
    assert response.status_code == HTTPStatus.OK
    assert any(reason in error for error in response.context["form"].errors[field])
    assert not User.objects.exists()


def test_a_taken_username_is_refused_in_any_spelling(client: Client) -> None:
    register_user("Ada", PASSWORD)
    response = register(client, username="aDA")
    assert response.context["form"].errors["username"] == ["This username is taken."]


def test_what_was_typed_is_escaped(client: Client) -> None:
    page = register(client, username='"><script>alert(1)</script>').content.decode()
    assert "<script>alert" not in page


def test_a_display_name_cannot_leave_the_data_of_the_page(client: Client) -> None:
    register(client, display_name="</script><b>Ada")
    assert read_session(client)["display_name"] == "</script><b>Ada"
    assert "</script><b>" not in client.get("/").content.decode()


def test_logging_in_opens_the_chat_and_a_wrong_password_does_not(client: Client) -> None:
    register_user("ada", PASSWORD)
    refused = client.post("/login/", {"username": "ada", "password": "wrong"})
    assert refused.context["form"].non_field_errors() == ["Username and password do not match."]
    assert client.post("/login/", {"username": "Ada", "password": PASSWORD})["Location"] == "/"
    assert read_session(client)["username"] == "ada"


def test_a_suspended_user_is_told_so(client: Client) -> None:
    suspend_user(register_user("ada", PASSWORD).pk)
    response = client.post("/login/", {"username": "ada", "password": PASSWORD})
    assert response.context["form"].non_field_errors() == ["This account is suspended."]


def test_who_is_logged_in_is_led_from_the_forms_to_the_chat(client: Client) -> None:
    register(client)
    for page in ("/login/", "/register/"):
        assert client.get(page)["Location"] == "/"


def test_who_was_invited_goes_from_either_form_to_the_invite_and_nowhere_else(client: Client) -> None:
    for page, other in (("login", "register"), ("register", "login")):
        text = client.get(f"/{page}/", {"next": "/join/"}).content.decode()
        assert "you are invited to" in text
        assert f'class="keeps-fragment" href="/{other}/?next=%2Fjoin%2F"' in text
    form = {"username": "ada", "password": PASSWORD, "confirm_password": PASSWORD}
    assert client.post("/register/?next=/join/", form)["Location"] == "/join/"
    assert client.get("/login/?next=/join/")["Location"] == "/join/"
    assert client.get("/login/?next=https://elsewhere.example/")["Location"] == "/"


def test_logging_out_removes_the_device_and_takes_a_post(client: Client) -> None:
    register(client)
    assert client.get("/logout/").status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert Device.objects.count() == 1
    assert client.post("/logout/")["Location"] == "/login/"
    assert Device.objects.count() == 0
    assert client.get("/").status_code == HTTPStatus.FOUND


def test_too_many_failed_logins_are_refused_in_the_form_even_with_the_right_password(client: Client) -> None:
    register_user("ada", PASSWORD)
    for _ in range(50):
        response = client.post("/login/", {"username": "ada", "password": "wrong"})
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            break
    response = client.post("/login/", {"username": "ada", "password": PASSWORD})
    assert response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert "Too many failed logins" in response.content.decode()
    assert int(response["Retry-After"]) > 0


def test_an_address_cannot_register_without_end(client: Client, settings) -> None:
    assert settings.REGISTRATIONS_PER_MINUTE_PER_ADDRESS == 60
    settings.REGISTRATIONS_PER_MINUTE_PER_ADDRESS = 5
    for _ in range(5):
        register(client, password="12345678", confirm_password="12345678")
    assert register(client).status_code == HTTPStatus.TOO_MANY_REQUESTS


def test_forms_refuse_what_another_site_sends() -> None:
    strict = Client(enforce_csrf_checks=True)
    for page in ("/login/", "/register/", "/logout/"):
        assert strict.post(page, {"username": "ada"}).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("page", ["/", "/login/", "/register/"])
def test_no_page_is_kept_by_caches_or_carries_script_or_style_of_its_own(client: Client, page: str) -> None:
    if page == "/":
        register(client)
    response = client.get(page)
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    text = response.content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
    assert not re.search(r"<script(?![^>]*(src=|application/json))", text)
