"""What every page tells the browser: where scripts may come from, and who may frame or call it."""

import re

import pytest
from django.test import Client

# Bans by address are looked at before any page is.
pytestmark = pytest.mark.django_db

PAGES = ["/login/", "/register/", "/api/docs/"]
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)")
INLINE_HANDLER = re.compile(r"\son[a-z]+=")


@pytest.mark.parametrize("path", PAGES)
def test_pages_allow_no_script_or_style_of_their_own(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 200
    assert sorted(part.strip() for part in response["Content-Security-Policy"].split(";")) == [
        "base-uri 'none'",
        "default-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "img-src 'self' data: blob:",
        "object-src 'none'",
    ]
    assert response["X-Frame-Options"] == "DENY"
    page = response.content.decode()
    assert not INLINE_SCRIPT.search(page)
    assert "<style" not in page
    assert not INLINE_HANDLER.search(page)


def test_the_admin_runs_no_script_and_no_style_that_stands_in_a_page() -> None:
    response = Client().get("/admin/login/")
    directives = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self' 'unsafe-eval'",  # Alpine makes functions of attributes
        "script-src-attr": "'none'",
        "style-src": "'self'",
        "style-src-attr": "'unsafe-inline'",  # and sets style attributes
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert response["X-Frame-Options"] == "DENY"
    page = response.content.decode()
    assert not INLINE_SCRIPT.search(page)
    assert not INLINE_HANDLER.search(page)
    assert "<style" not in page
    assert "moderation/colors.css" in page


def test_the_schema_page_has_its_script_apart() -> None:
    page = Client().get("/api/docs/").content.decode()
    (script,) = re.findall(r'src="(/api/docs/[^"]*)"', page)
    assert Client().get(script.replace("&amp;", "&"))["Content-Type"].startswith("application/javascript")


def test_other_origins_may_call_only_if_they_are_named(settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]

    def preflight(path: str, origin: str) -> str | None:
        headers = {"origin": origin, "access-control-request-method": "GET"}
        return Client().options(path, headers=headers).get("Access-Control-Allow-Origin")

    assert preflight("/api/user/me", "https://app.example") == "https://app.example"
    assert preflight("/api/user/me", "https://evil.example") is None
    assert preflight("/login/", "https://app.example") is None
    response = Client().options(
        "/api/user/me", headers={"origin": "https://app.example", "access-control-request-method": "GET"}
    )
    assert "Access-Control-Allow-Credentials" not in response
    assert "if-none-match" in response["Access-Control-Allow-Headers"].lower().split(", ")


def test_other_origins_may_read_what_they_need_to_ask_again(settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    response = Client().get("/api/user/me", headers={"origin": "https://app.example"})
    assert response.status_code == 401
    exposed = response["Access-Control-Expose-Headers"].lower().split(", ")
    assert set(exposed) == {"etag", "retry-after"}


@pytest.fixture
def behind_tls(settings) -> Client:
    """A client of a site whose proxy speaks TLS, with the settings that TRUSTED_PROXIES brings."""
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 63_072_000
    return Client(headers={"host": "chat.example.org"})


def test_behind_tls_browsers_are_told_to_stay_with_it(behind_tls: Client) -> None:
    response = behind_tls.get("/login/", secure=True)
    assert response.status_code == 200
    assert response["Strict-Transport-Security"] == "max-age=63072000"


def test_behind_tls_plain_http_is_for_health_checks_and_metrics_only(behind_tls: Client) -> None:
    for path in ("/login/", "/api/user/me", "/admin/", "/healthz/x"):
        response = behind_tls.get(f"{path}?a=b")
        assert (response.status_code, response["Location"]) == (301, f"https://chat.example.org{path}?a=b")
    assert behind_tls.get("/healthz").status_code == 200
    assert behind_tls.get("/metrics").status_code == 200
    assert behind_tls.get("/readyz").status_code != 301


def test_without_a_proxy_nobody_is_sent_to_tls(settings) -> None:
    response = Client().get("/login/")
    assert response.status_code == 200
    assert "Strict-Transport-Security" not in response
    assert not settings.SESSION_COOKIE_SECURE
