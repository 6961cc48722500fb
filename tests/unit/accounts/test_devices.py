"""Devices: made by logins, gone by logouts, and what others hear of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import login, logout
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts.credentials import find_identity, hash_secret
from apps.accounts.errors import InvalidCredentialsError, LimitReachedError, NotFoundError
from apps.accounts.models import Device, User
from apps.accounts.services import (
    ensure_session_device,
    log_in_device,
    log_in_session,
    log_out_session,
    revoke_all_devices,
    revoke_device,
)
from apps.accounts.services.devices import MAX_DEVICES
from apps.valkey.pools import sync_client

BACKEND = "django.contrib.auth.backends.ModelBackend"

pytestmark = pytest.mark.usefixtures("cache_valkey")


def fill(user: User, count: int) -> None:
    """Give the user some devices."""
    Device.objects.bulk_create(
        Device(user=user, name="old", kind=Device.Kind.TOKEN, credential_hash=str(number)) for number in range(count)
    )


def test_a_login_beyond_the_limit_is_refused(ada: User, browser_request: Callable) -> None:
    fill(ada, MAX_DEVICES)
    with pytest.raises(LimitReachedError) as refusal:
        log_in_device(ada, "one more")
    assert refusal.value.code == "too_many_devices"
    request = browser_request()
    with pytest.raises(LimitReachedError):
        log_in_session(request, ada)
    assert "_auth_user_id" not in request.session
    assert Device.objects.count() == MAX_DEVICES


def test_devices_that_are_long_unseen_do_not_count(ada: User) -> None:
    fill(ada, MAX_DEVICES)
    Device.objects.update(last_seen_at=timezone.now() - timedelta(days=400))
    log_in_device(ada, "one more")


def test_a_session_login_has_one_device_that_its_cookie_finds(ada: User, browser_request: Callable) -> None:
    request = browser_request()
    device = log_in_session(request, ada)
    identity = find_identity(hash_secret(request.session.session_key))
    assert identity is not None
    assert identity.device_id == device.pk
    assert device.name == "Firefox on Linux"
    assert Session.objects.filter(pk=request.session.session_key).exists()


def test_the_same_session_keeps_its_device(ada: User, browser_request: Callable) -> None:
    request = browser_request()
    first = log_in_session(request, ada)
    old_key = request.session.session_key
    assert log_in_session(request, ada).pk == first.pk
    assert ensure_session_device(request).pk == first.pk
    request.session.cycle_key()
    assert ensure_session_device(request).pk == first.pk
    assert find_identity(hash_secret(request.session.session_key)) is not None
    assert find_identity(hash_secret(old_key)) is None
    assert Device.objects.count() == 1


def test_another_user_in_the_same_browser_logs_the_first_one_out(
    ada: User, bob: User, browser_request: Callable
) -> None:
    request = browser_request()
    log_in_session(request, ada)
    device = log_in_session(request, bob)
    assert list(Device.objects.values_list("id", "user_id")) == [(device.pk, bob.pk)]


def test_a_session_of_the_admin_gets_a_device_when_it_opens_the_chat(ada: User, browser_request: Callable) -> None:
    request = browser_request()
    with pytest.raises(InvalidCredentialsError):
        ensure_session_device(request)
    login(request, ada, backend=BACKEND)
    device = ensure_session_device(request)
    assert ensure_session_device(request) == device


def test_a_settled_session_costs_no_write(ada: User, browser_request: Callable, django_assert_num_queries) -> None:
    request = browser_request()
    log_in_session(request, ada)
    request.session.modified = False
    with django_assert_num_queries(3):  # A savepoint, the device, the end of the savepoint.
        ensure_session_device(request)


def test_a_session_that_is_used_lives_on_and_so_does_its_device(ada: User, browser_request: Callable) -> None:
    request = browser_request()
    device = log_in_session(request, ada)
    soon = timezone.now() + timedelta(hours=1)
    Device.objects.update(expires_at=soon)
    Session.objects.update(expire_date=soon)
    request.session.modified = False
    ensure_session_device(request)
    device.refresh_from_db()
    assert device.expires_at is not None
    assert device.expires_at > soon + timedelta(days=300)
    assert abs(Session.objects.get().expire_date - device.expires_at) < timedelta(minutes=1)


@pytest.mark.parametrize("leave", [log_out_session, logout])
def test_logging_a_session_out_by_any_view_removes_its_device(
    ada: User, browser_request: Callable, leave: Callable, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    request = browser_request()
    device = log_in_session(request, ada)
    with django_capture_on_commit_callbacks(execute=True):
        leave(request)
    assert not Device.objects.exists()
    assert not Session.objects.exists()
    assert control_events() == [("devices_revoked", ada.pk, device.pk, "logged_out")]


def test_a_revoked_session_device_takes_its_session_along(ada: User, browser_request: Callable) -> None:
    device = log_in_session(browser_request(), ada)
    revoke_device(ada.pk, device.pk, "removed")
    assert not Session.objects.exists()


def test_a_removed_device_is_announced_and_deliveries_are_asked_to_forget_it(
    ada: User, cache_valkey: str, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    device, token = log_in_device(ada, "laptop")
    with django_capture_on_commit_callbacks(execute=True):
        revoke_device(ada.pk, device.pk, "removed")
    assert find_identity(hash_secret(token)) is None
    assert control_events() == [("devices_revoked", ada.pk, device.pk, "removed")]
    assert "delivery.forget_device" in "".join(sync_client(cache_valkey).lrange("sweeps", 0, -1))


@pytest.mark.parametrize("device_id", ["dev-000000000000", "foreign"])
def test_only_an_own_device_can_be_revoked(ada: User, bob: User, device_id: str) -> None:
    foreign, _ = log_in_device(bob, "laptop")
    with pytest.raises(NotFoundError):
        revoke_device(ada.pk, foreign.pk if device_id == "foreign" else device_id, "removed")
    assert Device.objects.filter(pk=foreign.pk).exists()


def test_all_devices_but_one_can_be_revoked(
    ada: User, bob: User, control_events: Callable, django_capture_on_commit_callbacks
) -> None:
    kept, foreign = log_in_device(ada, "kept")[0], log_in_device(bob, "foreign")[0]
    gone = [log_in_device(ada, "gone")[0].pk for _ in range(2)]
    with django_capture_on_commit_callbacks(execute=True):
        revoke_all_devices(ada.pk, "test", keep_device_id=kept.pk)
    assert set(Device.objects.values_list("id", flat=True)) == {kept.pk, foreign.pk}
    [(kind, user_id, devices, reason)] = control_events()
    assert (kind, user_id, reason) == ("devices_revoked", ada.pk, "test")
    assert set(devices.split(",")) == set(gone)


def test_a_broker_that_is_down_is_asked_once_and_fails_nothing(
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks,
) -> None:
    asked = []

    def fail(name: str, args: list[str], retry: bool) -> None:
        asked.append((name, retry))
        raise ConnectionError("no broker")

    monkeypatch.setattr("celery.current_app.send_task", fail)
    for _ in range(3):
        log_in_device(ada, "laptop")
    with django_capture_on_commit_callbacks(execute=True):
        revoke_all_devices(ada.pk, "test")
    assert asked == [("delivery.forget_device", False)]
    assert not Device.objects.exists()
    assert "no broker" in caplog.text
