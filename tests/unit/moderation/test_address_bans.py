"""Bans by address range: what may be banned, whom it keeps out, and how soon."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.errors import InvalidInputError
from apps.accounts.models import User
from apps.gateway.authentication import Refused
from apps.gateway.close_codes import CloseReason
from apps.gateway.entrance import check_address
from apps.moderation.address_bans import AddressBans, address_bans
from apps.moderation.models import AddressBan, AuditEntry
from apps.moderation.services.address_bans import read_network

pytestmark = pytest.mark.usefixtures("cache_valkey", "fresh_bans")


def ban(network: str, **fields: Any) -> None:
    """A ban that the process knows of."""
    AddressBan.objects.create(network=network, reason="floods", **fields)
    address_bans.refresh()


@pytest.mark.parametrize(
    ("address", "covered"),
    [
        ("203.0.113.7", True),
        ("203.0.114.7", False),
        ("::ffff:203.0.113.7", True),
        ("198.51.100.9", True),
        ("198.51.100.8", False),
        ("2001:db8:0:1::5", True),
        ("2001:db8:1::5", False),
        ("", False),
        ("not an address", False),
    ],
)
def test_ranges_and_single_addresses_of_both_kinds_are_covered(db: None, address: str, covered: bool) -> None:
    for network in ("203.0.113.0/24", "198.51.100.9/32", "2001:db8::/48"):
        ban(network)
    assert address_bans.covers(address) is covered


def test_a_ban_that_has_run_out_is_none(db: None) -> None:
    ban("203.0.113.0/24", until=timezone.now() - timedelta(seconds=1))
    ban("198.51.100.0/24", until=timezone.now() + timedelta(hours=1))
    assert not address_bans.covers("203.0.113.7")
    assert address_bans.covers("198.51.100.7")


def test_a_request_reads_the_bans_at_most_every_30_s(db: None, django_assert_num_queries: Any) -> None:
    bans = AddressBans()
    with django_assert_num_queries(1):
        bans.refresh_if_stale()
        bans.refresh_if_stale()


@pytest.mark.parametrize(
    "path", ["/api/auth/login", "/api/auth/register", "/api/user/me", "/login/", "/register/", "/"]
)
def test_every_door_is_closed_for_a_banned_address(db: None, path: str) -> None:
    ban("203.0.113.0/24")
    refused = Client(REMOTE_ADDR="203.0.113.7").post(path, {}, content_type="application/json")
    assert refused.status_code == 403
    assert b"banned" in refused.content
    assert b"banned" not in Client(REMOTE_ADDR="192.0.2.1").post(path, {}, content_type="application/json").content


def test_the_admin_and_the_health_check_stay_open(db: None) -> None:
    ban("203.0.113.0/24")
    banned = Client(REMOTE_ADDR="203.0.113.7")
    assert banned.get("/admin/login/").status_code == 200
    assert banned.get("/healthz").status_code == 200


def test_a_socket_of_a_banned_address_is_refused_before_it_says_who_it_is(db: None) -> None:
    ban("203.0.113.0/24")
    with pytest.raises(Refused) as refused:
        check_address({"client": ("203.0.113.7", 4711)})
    assert refused.value.reason is CloseReason.ADDRESS_BANNED
    check_address({"client": ("192.0.2.1", 4711)})


@pytest.mark.parametrize(
    ("text", "network"),
    [(" 203.0.113.7 ", "203.0.113.7/32"), ("203.0.113.9/24", "203.0.113.0/24"), ("2001:db8::1/48", "2001:db8::/48")],
)
def test_a_range_is_kept_in_its_usual_form(text: str, network: str) -> None:
    assert str(read_network(text)) == network


@pytest.mark.parametrize(
    "text", ["", "nonsense", "203.0.113.0/33", "0.0.0.0/0", "16.0.0.0/7", "2001::/15", "10.1.2.0/24", "192.0.2.0/24"]
)
def test_what_is_no_range_too_wide_a_proxy_or_oneself_is_refused(settings: Any, text: str) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "::1"]
    with pytest.raises(InvalidInputError):
        read_network(text, own_address="192.0.2.5")


def test_moderators_ban_change_and_lift(
    moderator: User,
    browser_of: Callable[[User], Client],
    control_events: Callable[[], list[tuple[str, str]]],
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    desk = browser_of(moderator)
    pages = "/admin/moderation/addressban/"
    form = {"network": "203.0.113.9/24", "reason": "floods", "until_0": "", "until_1": ""}
    refused = desk.post(f"{pages}add/", form | {"network": "127.0.0.0/8"})
    assert b"your own address" in refused.content
    with django_capture_on_commit_callbacks(execute=True):
        assert desk.post(f"{pages}add/", form).status_code == 302
    ban = AddressBan.objects.get()
    assert ban.network == "203.0.113.0/24"
    desk.post(f"{pages}{ban.pk}/change/", form | {"reason": "still floods"})
    assert desk.get(pages).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        desk.post(f"{pages}{ban.pk}/delete/", {"post": "yes"})
    assert not AddressBan.objects.exists()
    assert control_events() == [("bans_changed", ""), ("bans_changed", "")]
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "ban address",
        "change address ban",
        "lift address ban",
    ]


def test_a_past_end_is_refused(moderator: User, browser_of: Callable[[User], Client]) -> None:
    form = {"network": "203.0.113.0/24", "reason": "floods", "until_0": "2020-01-01", "until_1": "00:00"}
    assert b"still to come" in browser_of(moderator).post("/admin/moderation/addressban/add/", form).content
