"""One mechanism for tokens and sessions, and tickets."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.credentials import (
    TICKET_KEY,
    DeviceIdentity,
    find_identity,
    hash_secret,
    issue_ticket,
    live_credentials,
)
from apps.accounts.models import Device, User
from apps.accounts.services import log_in_device
from apps.valkey.pools import sync_client


def test_a_token_finds_its_device_in_one_query(ada: User, django_assert_num_queries) -> None:
    device, token = log_in_device(ada, "laptop")
    with django_assert_num_queries(1):
        identity = find_identity(hash_secret(token))
    assert identity == DeviceIdentity(
        user_id=ada.pk,
        device_id=device.pk,
        username="Ada",
        suspended=False,
        credential_hash=hash_secret(token),
        last_seen_at=device.last_seen_at,
    )


def test_the_token_itself_stands_nowhere_in_the_row(ada: User) -> None:
    device, token = log_in_device(ada, "laptop")
    assert token not in str(Device.objects.filter(pk=device.pk).values().get())


def test_an_unknown_credential_finds_nobody(ada: User) -> None:
    assert find_identity(hash_secret("no such token")) is None


def test_the_identity_of_a_suspended_user_says_so(ada: User) -> None:
    _, token = log_in_device(ada, "laptop")
    User.objects.update(is_active=False)
    identity = find_identity(hash_secret(token))
    assert identity is not None
    assert identity.suspended


@pytest.mark.parametrize(("hours", "alive"), [(-1, False), (1, True)])
def test_a_session_device_dies_with_its_session(ada: User, hours: int, alive: bool) -> None:
    Device.objects.create(
        user=ada,
        kind=Device.Kind.SESSION,
        session_key="key",
        credential_hash=hash_secret("key"),
        expires_at=timezone.now() + timedelta(hours=hours),
    )
    assert (find_identity(hash_secret("key")) is not None) is alive
    assert Device.objects.filter(live_credentials()).exists() is alive


def test_a_ticket_stands_in_valkey_for_half_a_minute_under_its_hash(cache_valkey: str) -> None:
    ticket = issue_ticket(hash_secret("token"))
    client = sync_client(cache_valkey)
    key = TICKET_KEY.format(digest=hash_secret(ticket))
    assert 28 <= client.ttl(key) <= 30
    assert client.getdel(key) == hash_secret("token")
    assert ticket not in " ".join(client.keys("*"))
