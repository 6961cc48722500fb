"""Reads: what is found, in how many queries."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.errors import NotFoundError
from apps.accounts.models import Block, Device, User, UserSettings
from apps.accounts.selectors import (
    DeliveryFacts,
    get_settings,
    get_user,
    list_blocks,
    list_delivery_facts,
    list_live_credentials,
    search_users,
)
from apps.accounts.services import log_in_device, suspend_user, touch_devices


def test_delivery_facts_of_many_users_take_one_query(ada: User, bob: User, django_assert_num_queries) -> None:
    devices = sorted(log_in_device(ada, name)[0].pk for name in ("laptop", "phone"))
    UserSettings.objects.create(user=bob, history_days=90, read_receipts=False)
    suspend_user(bob.pk)
    with django_assert_num_queries(1):
        facts = list_delivery_facts([ada.pk, bob.pk, "usr-000000000000"])
    assert facts == {
        ada.pk: DeliveryFacts(active=True, history_days=0, read_receipts=True, devices=tuple(devices)),
        bob.pk: DeliveryFacts(active=False, history_days=90, read_receipts=False, devices=()),
    }


def test_a_stale_device_no_longer_holds_messages_until_it_is_seen_again(ada: User, settings) -> None:
    settings.DEVICE_STALE_DAYS = 30
    device, _ = log_in_device(ada, "laptop")
    Device.objects.update(last_seen_at=timezone.now() - timedelta(days=31))
    assert list_delivery_facts([ada.pk])[ada.pk].devices == ()
    touch_devices([device.pk, "dev-000000000000"])
    assert list_delivery_facts([ada.pk])[ada.pk].devices == (device.pk,)


def test_delivery_facts_of_nobody_are_empty(db: None) -> None:
    assert list_delivery_facts([]) == {}


def test_blocks_are_pairs_of_who_blocks_and_who_is_blocked(ada: User, bob: User, django_assert_num_queries) -> None:
    Block.objects.create(owner=ada, person=bob)
    with django_assert_num_queries(1):
        assert list_blocks([ada.pk, bob.pk]) == {(ada.pk, bob.pk)}
    assert list_blocks([bob.pk]) == set()


def test_live_credentials_are_those_that_may_stay_connected(ada: User, bob: User) -> None:
    kept, _ = log_in_device(ada, "laptop")
    suspended, _ = log_in_device(bob, "laptop")
    suspend_user(bob.pk)
    assert list_live_credentials([kept.credential_hash, suspended.credential_hash, "0"]) == {kept.credential_hash}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("adam", ["Adam", "adam.b"]),
        ("ADA", ["Adam", "adam.b"]),
        ("ad", []),
        ("dam", []),
        ("a%", []),
        ("___", []),
        ("adam_", []),
        ("zed", []),
    ],
)
def test_search_is_by_exact_name_or_a_prefix_of_three(ada: User, query: str, found: list[str]) -> None:
    for name in ("Adam", "adam.b", "bert"):
        User.objects.create_user(name)
    suspend_user(User.objects.create_user("adam-suspended").pk)
    assert [user.username for user in search_users(query, asking_id=ada.pk, limit=20)] == found


def test_search_goes_on_after_a_name(ada: User) -> None:
    for name in ("xyz1", "XYZ2", "xyz3"):
        User.objects.create_user(name)
    first = search_users("xyz", asking_id=ada.pk, limit=2)
    assert [user.username for user in first] == ["xyz1", "XYZ2"]
    assert [user.username for user in search_users("xyz", asking_id=ada.pk, after="xyz2", limit=2)] == ["xyz3"]


@pytest.mark.parametrize("user_id", ["usr-000000000000", "usr-x", "", "usr-00000000000\0"])
def test_a_user_that_does_not_exist_is_not_found(db: None, user_id: str) -> None:
    with pytest.raises(NotFoundError):
        get_user(user_id)


def test_a_user_who_chose_nothing_has_the_defaults(ada: User) -> None:
    row = get_settings(ada.pk)
    assert (row.history_days, row.show_last_seen, row.read_receipts) == (0, True, True)
