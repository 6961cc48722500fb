"""A changed password: the asking device goes on with a new credential, all others are out."""

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session

from apps.accounts.credentials import find_identity, hash_secret
from apps.accounts.errors import InvalidInputError, TooManyAttemptsError
from apps.accounts.models import Device, User
from apps.accounts.services import change_password, log_in_device, log_in_session

OLD = "correct horse battery"
NEW = "staple battery horse"

pytestmark = pytest.mark.usefixtures("cache_valkey")


def test_a_token_device_keeps_its_id_and_gets_a_new_token(
    ada: User, browser_request: Callable, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    asking, old_token = log_in_device(ada, "laptop")
    other, other_token = log_in_device(ada, "phone")
    with django_capture_on_commit_callbacks(execute=True):
        token = change_password(browser_request(), asking, old_password=OLD, new_password=NEW)
    assert token is not None
    identity = find_identity(hash_secret(token))
    assert identity is not None
    assert identity.device_id == asking.pk
    assert find_identity(hash_secret(old_token)) is None
    assert find_identity(hash_secret(other_token)) is None
    assert User.objects.get().check_password(NEW)
    revoked = {(kind, devices) for kind, _, devices, _ in control_events()}
    assert revoked == {("devices_revoked", asking.pk), ("devices_revoked", other.pk)}


def test_a_session_goes_on_under_a_new_key_and_other_sessions_end(ada: User, browser_request: Callable) -> None:
    request, other = browser_request(), browser_request()
    device = log_in_session(request, ada)
    log_in_session(other, ada)
    old_key = request.session.session_key
    assert change_password(request, device, old_password=OLD, new_password=NEW) is None
    assert request.session.session_key != old_key
    identity = find_identity(hash_secret(request.session.session_key))
    assert identity is not None
    assert identity.device_id == device.pk
    assert get_user(request) == ada
    assert [session.pk for session in Session.objects.all()] == [request.session.session_key]
    assert Device.objects.count() == 1


@pytest.mark.parametrize(
    ("old", "new", "field"), [("wrong", NEW, "old_password"), (OLD, "short", "new_password"), (OLD, "", "new_password")]
)
def test_a_refused_change_changes_nothing(ada: User, browser_request: Callable, old: str, new: str, field: str) -> None:
    device, token = log_in_device(ada, "laptop")
    log_in_device(ada, "phone")
    with pytest.raises(InvalidInputError) as refusal:
        change_password(browser_request(), device, old_password=old, new_password=new)
    assert set(refusal.value.fields) == {field}
    assert find_identity(hash_secret(token)) is not None
    assert Device.objects.count() == 2
    assert User.objects.get().check_password(OLD)


def test_a_stolen_token_cannot_be_used_to_guess_the_password(ada: User, browser_request: Callable) -> None:
    device, _ = log_in_device(ada, "laptop")
    for _ in range(9):
        with pytest.raises(InvalidInputError):
            change_password(browser_request(), device, old_password="guess", new_password=NEW)
    with pytest.raises(TooManyAttemptsError):
        change_password(browser_request(), device, old_password="guess", new_password=NEW)
    with pytest.raises(TooManyAttemptsError):
        change_password(browser_request(), device, old_password=OLD, new_password=NEW)


def test_a_password_set_behind_our_back_logs_every_device_out(
    ada: User, bob: User, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    device, _ = log_in_device(ada, "laptop")
    log_in_device(bob, "laptop")
    with django_capture_on_commit_callbacks(execute=True):
        ada.set_password(NEW)
        ada.save()
    assert list(Device.objects.values_list("user_id", flat=True)) == [bob.pk]
    assert control_events() == [("devices_revoked", ada.pk, device.pk, "password_changed")]


def test_a_rehash_at_login_and_other_saves_log_nobody_out(ada: User, settings) -> None:
    log_in_device(ada, "laptop")
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    before = ada.password
    assert ada.check_password(OLD)
    assert User.objects.get().password != before
    ada.save()
    assert Device.objects.count() == 1
