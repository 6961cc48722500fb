"""Contacts, blocks, settings, suspension: the row, the facts in Valkey, the events."""

from collections.abc import Callable

import pytest

from apps.accounts.errors import InvalidInputError, LimitReachedError, NotFoundError
from apps.accounts.facts import FACTS_KEY, decode_facts
from apps.accounts.models import Block, Contact, Device, User
from apps.accounts.palette import AVATAR_COLORS
from apps.accounts.services import (
    add_contact,
    block_user,
    log_in_device,
    relations,
    remove_contact,
    suspend_user,
    unblock_user,
    unsuspend_user,
    update_profile,
    update_settings,
)
from apps.valkey.pools import sync_client


def test_a_block_reaches_valkey_and_the_gateways_and_so_does_its_end(
    ada: User, bob: User, cache_valkey: str, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    client, key = sync_client(cache_valkey), FACTS_KEY.format(user_id=ada.pk)
    with django_capture_on_commit_callbacks(execute=True):
        block_user(ada.pk, bob.pk)
    assert decode_facts(client.get(key)).blocks == {bob.pk}
    with django_capture_on_commit_callbacks(execute=True):
        unblock_user(ada.pk, bob.pk)
    assert decode_facts(client.get(key)).blocks == frozenset()
    assert control_events() == [("facts_changed", ada.pk, "", "")] * 2


def test_a_valkey_that_is_down_does_not_undo_a_block(
    ada: User, bob: User, settings, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks
) -> None:
    settings.INBOX_REDIS_URL = settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    with django_capture_on_commit_callbacks(execute=True):
        block_user(ada.pk, bob.pk)
    assert Block.objects.exists()
    assert "store_facts" in caplog.text


@pytest.mark.parametrize(("add", "model"), [(add_contact, Contact), (block_user, Block)])
def test_noting_somebody_twice_is_one_row(ada: User, bob: User, add: Callable, model: type) -> None:
    assert [add(ada.pk, bob.pk)[1] for _ in range(2)] == [True, False]
    assert model.objects.count() == 1


@pytest.mark.parametrize("add", [add_contact, block_user])
def test_neither_oneself_nor_nobody_can_be_noted(ada: User, add: Callable) -> None:
    with pytest.raises(InvalidInputError):
        add(ada.pk, ada.pk)
    with pytest.raises(NotFoundError):
        add(ada.pk, "usr-000000000000")


@pytest.mark.parametrize("remove", [remove_contact, unblock_user])
def test_who_is_not_noted_cannot_be_taken_off(ada: User, bob: User, remove: Callable) -> None:
    with pytest.raises(NotFoundError):
        remove(ada.pk, bob.pk)


@pytest.mark.parametrize(
    ("add", "limit", "code"),
    [(add_contact, "MAX_CONTACTS", "too_many_contacts"), (block_user, "MAX_BLOCKS", "too_many_blocks")],
)
def test_the_lists_are_bounded(
    ada: User, bob: User, monkeypatch: pytest.MonkeyPatch, add: Callable, limit: str, code: str
) -> None:
    monkeypatch.setattr(relations, limit, 0)
    with pytest.raises(LimitReachedError) as refusal:
        add(ada.pk, bob.pk)
    assert refusal.value.code == code


def test_a_suspension_closes_sockets_and_keeps_everything(
    ada: User, cache_valkey: str, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    log_in_device(ada, "laptop")
    with django_capture_on_commit_callbacks(execute=True):
        suspend_user(ada.pk, "spam")
    key = FACTS_KEY.format(user_id=ada.pk)
    assert decode_facts(sync_client(cache_valkey).get(key)).suspended
    assert set(control_events()) == {("facts_changed", ada.pk, "", ""), ("user_revoked", ada.pk, "", "suspended")}
    ada.refresh_from_db()
    assert ada.suspension_reason == "spam"
    with django_capture_on_commit_callbacks(execute=True):
        unsuspend_user(ada.pk)
    assert not decode_facts(sync_client(cache_valkey).get(key)).suspended
    assert Device.objects.count() == 1


def test_changed_settings_are_told_to_the_other_devices(
    ada: User, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        row = update_settings(ada.pk, device_id="dev-0123456789ab", history_days=90)
        row = update_settings(ada.pk, device_id="dev-0123456789ab", show_last_seen=False)
    assert (row.history_days, row.show_last_seen, row.read_receipts) == (90, False, True)
    assert control_events() == [("settings_changed", ada.pk, "dev-0123456789ab", "")] * 2


def test_a_history_of_other_length_is_refused(ada: User) -> None:
    with pytest.raises(InvalidInputError):
        update_settings(ada.pk, device_id="dev-0123456789ab", history_days=30)


def test_a_profile_changes_in_what_is_given(ada: User) -> None:
    update_profile(ada, display_name=" Countess ")
    update_profile(ada, avatar_color=AVATAR_COLORS[3])
    ada.refresh_from_db()
    assert (ada.display_name, ada.avatar_color) == ("Countess", AVATAR_COLORS[3])
    with pytest.raises(InvalidInputError):
        update_profile(ada, avatar_color="#ffffff")
