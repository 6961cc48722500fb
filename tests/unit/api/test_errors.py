"""Bad input: always the one shape of error, never a fault of ours."""

from collections.abc import Iterator

import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.exceptions import Throttled

from apps.api import profiles
from apps.api.errors import handle_exception
from apps.api.fallbacks import bad_request, server_error
from apps.api.parsing import MAX_BODY_BYTES

WRITES = [
    ("post", "/api/auth/register"),
    ("post", "/api/auth/login"),
    ("post", "/api/auth/password"),
    ("patch", "/api/user/me"),
    ("put", "/api/user/settings"),
    ("post", "/api/contacts"),
    ("post", "/api/blocks"),
    ("post", "/api/groups"),
]
every_write = pytest.mark.parametrize(("method", "path"), WRITES)


def check_shape(response, status: int, code: str) -> dict:
    """The error has the status, the code and the shape of the contract."""
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert body["message"]
    assert set(body) <= {"code", "message", "fields"}
    assert response["Cache-Control"] == "private, no-store"
    return body


@every_write
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b'"text"', b"1", b"\xff", b'{"username": "\\ud800"}', b'{"a": NaN}', b"[" * 5000]
)
def test_what_is_no_json_object_is_refused(ada, method: str, path: str, body: bytes) -> None:
    response = ada.client.generic(method.upper(), path, body, content_type="application/json")
    check_shape(response, 400, "invalid_json")


@every_write
def test_a_body_that_is_too_long_is_refused(ada, method: str, path: str) -> None:
    body = b'{"username": "' + b"x" * MAX_BODY_BYTES + b'"}'
    response = ada.client.generic(method.upper(), path, body, content_type="application/json")
    check_shape(response, 413, "content_too_long")


@every_write
def test_a_body_in_chunks_is_refused_rather_than_taken_for_an_empty_one(ada, method: str, path: str) -> None:
    response = getattr(ada.client, method)(path, headers={"transfer-encoding": "chunked"}, format="json")
    check_shape(response, 411, "length_required")


@every_write
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_other_content_than_json_is_refused(ada, method: str, path: str, content_type: str) -> None:
    response = ada.client.generic(method.upper(), path, b"username=x", content_type=content_type)
    check_shape(response, 415, "unsupported_media_type")


FIELDS = [
    ("post", "/api/auth/register", {"username": "eve", "password": "correct horse battery", "display_name": "Eve"}),
    ("post", "/api/auth/login", {"username": "ada", "password": "correct horse battery", "device_name": "x"}),
    ("post", "/api/auth/password", {"old_password": "correct horse battery", "new_password": "staple battery"}),
    ("patch", "/api/user/me", {"display_name": "Eve", "avatar_color": "#b3261e"}),
    ("put", "/api/user/settings", {"history_days": 90, "show_last_seen": True, "read_receipts": True}),
    ("post", "/api/contacts", {"user_id": "usr-000000000000"}),
    ("post", "/api/blocks", {"user_id": "usr-000000000000"}),
    ("post", "/api/groups", {"name": "Chess", "description": "Mondays", "picture": ""}),
]


@pytest.mark.parametrize(("method", "path", "good", "field"), [(*call, field) for call in FIELDS for field in call[2]])
@pytest.mark.parametrize("bad", [{"$ne": 1}, [], None, 3.5, "nul\0", ["x"], -1], ids=repr)
def test_a_value_of_the_wrong_kind_is_refused_by_field(ada, method, path, good, field, bad) -> None:
    response = getattr(ada.client, method)(path, good | {field: bad}, format="json")
    assert set(check_shape(response, 400, "invalid")["fields"]) == {field}


@pytest.mark.parametrize("field", ["history_days", "show_last_seen", "read_receipts"])
@pytest.mark.parametrize("bad", ["90", "true", "", 1], ids=repr)
def test_settings_take_no_text_and_no_number_in_place_of_a_flag(ada, field: str, bad: object) -> None:
    response = ada.client.put("/api/user/settings", {field: bad}, format="json")
    assert set(check_shape(response, 400, "invalid")["fields"]) == {field}


@pytest.mark.parametrize(
    ("method", "path", "required"),
    [
        ("post", "/api/auth/register", {"username", "password"}),
        ("post", "/api/auth/login", {"username", "password"}),
        ("post", "/api/auth/password", {"old_password", "new_password"}),
        ("post", "/api/contacts", {"user_id"}),
        ("post", "/api/blocks", {"user_id"}),
        ("post", "/api/groups", {"name"}),
    ],
)
@pytest.mark.parametrize("body", [{}, None], ids=["empty object", "no body"])
def test_missing_fields_are_named(ada, method: str, path: str, required: set[str], body: dict | None) -> None:
    response = getattr(ada.client, method)(path, body, format="json")
    assert set(check_shape(response, 400, "invalid")["fields"]) == required


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/api/", "/api/nothing", "/api/user/me/", "/api/user/usr-%00", "/api/contacts/x"])
def test_an_unknown_address_is_a_404_for_every_method(ada, method: str, path: str) -> None:
    check_shape(getattr(ada.client, method)(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("put", "/api/user/me"), ("get", "/api/auth/login"), ("options", "/api/devices")]
)
def test_a_method_that_is_not_offered_is_a_405(ada, method: str, path: str) -> None:
    response = getattr(ada.client, method)(path)
    check_shape(response, 405, "method_not_allowed")
    assert response["Allow"]


def test_a_client_that_takes_no_json_is_told_so(ada) -> None:
    check_shape(ada.client.get("/api/user/me", headers={"accept": "text/html"}), 406, "not_acceptable")


@pytest.mark.parametrize(
    "header", ["Token", "Token ", "Token wrong", "token x y", "Token \xff\xff", "Bearer abc", "Token " + "x" * 5000]
)
def test_a_token_that_is_not_valid_is_refused(anonymous, header: str) -> None:
    anonymous.credentials(HTTP_AUTHORIZATION=header)
    check_shape(anonymous.get("/api/user/me"), 401, "not_authenticated")


def test_a_fault_of_ours_has_the_same_shape_and_tells_nothing(ada, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(user_id: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(profiles, "get_profile", fail)
    ada.client.raise_request_exception = False
    response = ada.client.get("/api/user/usr-000000000000")
    check_shape(response, 500, "internal")
    assert "secret detail" not in response.content.decode()


def test_a_host_that_is_not_ours_is_refused_in_the_same_shape(ada) -> None:
    check_shape(ada.client.get("/api/user/me", headers={"host": "evil.example"}), 400, "bad_request")


def test_a_malformed_request_elsewhere_is_the_ordinary_page(rf: RequestFactory) -> None:
    response = bad_request(rf.get("/elsewhere/"), Exception())
    assert (response.status_code, response["Content-Type"].partition(";")[0]) == (400, "text/html")


def test_a_fault_elsewhere_is_the_ordinary_page(rf: RequestFactory) -> None:
    response = server_error(rf.get("/elsewhere/"))
    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/html")


def test_a_valkey_that_is_down_is_a_503_that_asks_to_try_again(ada, settings) -> None:
    settings.INBOX_REDIS_URL = "unix:///nonexistent/valkey.sock"
    response = ada.client.post("/api/auth/ticket")
    check_shape(response, 503, "unavailable")
    assert int(response["Retry-After"]) > 0


def test_a_throttle_says_when_to_try_again() -> None:
    response = handle_exception(Throttled(wait=4.2), {})
    assert response is not None
    assert (response.status_code, response.data["code"]) == (429, "throttled")
    assert response["Retry-After"] == "5"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(params=FIELDS, ids=lambda call: call[1])
def write(request, ada, group_log) -> Iterator[tuple]:
    """One of the calls that write, with its client."""
    return (ada.client, *request.param)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(data=st.data())
def test_no_json_whatever_makes_a_fault(write, data: st.DataObject) -> None:
    client, method, path, good = write
    body = {name: data.draw(st.sampled_from([value]) | json_values) for name, value in good.items()}
    response = getattr(client, method)(path, body, format="json")
    assert response.status_code < 500
    if response.status_code >= 400:
        assert {"code", "message"} <= set(response.json())
