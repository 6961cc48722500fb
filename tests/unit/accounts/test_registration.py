"""New users, one by one and in bulk."""

from collections.abc import Callable

import pytest
from django.contrib.auth.hashers import make_password
from django.db import transaction

from apps.accounts.credentials import find_identity, hash_secret
from apps.accounts.errors import InvalidInputError
from apps.accounts.models import User, UserSettings
from apps.accounts.services import register_in_bulk, register_user, register_with_device

GOOD = "correct horse battery"


def test_a_new_user_has_settings_and_a_hashed_password(db: None) -> None:
    user = register_user("grace", GOOD, "  Grace Hopper ")
    assert user.display_name == "Grace Hopper"
    assert UserSettings.objects.get(user=user).history_days == 0
    assert GOOD not in user.password
    assert user.check_password(GOOD)


@pytest.mark.parametrize(
    ("username", "password", "display_name", "field"),
    [
        ("ADA", GOOD, "", "username"),
        ("a b", GOOD, "", "username"),
        ("grace", "short", "", "password"),
        ("grace", "password123", "", "password"),
        ("grace.hopper", "gracehopper", "", "password"),
        ("grace", GOOD, "x" * 65, "display_name"),
        ("grace", GOOD, "\u202e", "display_name"),
    ],
)
def test_what_cannot_be_taken_is_named_by_field(
    ada: User, username: str, password: str, display_name: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        register_user(username, password, display_name)
    assert set(refusal.value.fields) == {field}
    assert User.objects.count() == 1


def test_the_chat_servers_learn_of_a_new_user_on_commit(
    db: None, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        user = register_user("grace", GOOD)
        assert control_events() == []
    assert control_events() == [("facts_changed", user.pk, "", "")]


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_password_is_hashed(monkeypatch: pytest.MonkeyPatch, cache_valkey: str) -> None:
    open_transactions = []

    def hash_slowly(password: str) -> str:
        open_transactions.append(transaction.get_connection().in_atomic_block)
        return make_password(password)

    monkeypatch.setattr("apps.accounts.services.registration.make_password", hash_slowly)
    register_user("grace", GOOD)
    register_with_device("hedy", GOOD, "", "phone")
    assert open_transactions == [False, False]


def test_users_made_in_bulk_have_a_working_token_and_no_password(db: None, django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(12):
        accounts = register_in_bulk([f"load{number}" for number in range(30)], "load test")
    for account in accounts:
        identity = find_identity(hash_secret(account.token))
        assert identity is not None
        assert (identity.user_id, identity.device_id) == (account.user_id, account.device_id)
    user = User.objects.get(username="load7")
    assert not user.has_usable_password()
    assert user.avatar_color
    assert UserSettings.objects.count() == 30


def test_a_bulk_with_a_taken_name_makes_nobody(ada: User) -> None:
    with pytest.raises(InvalidInputError):
        register_in_bulk(["grace", "ADA"], "load test")
    assert User.objects.count() == 1
