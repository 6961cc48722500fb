"""Devices: one per login, by token or by browser session; removing one logs it out everywhere."""

from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.announcements import announce_devices_removed, announce_devices_revoked
from apps.accounts.credentials import hash_secret, new_secret
from apps.accounts.errors import InvalidCredentialsError, LimitReachedError, NotFoundError
from apps.accounts.models import DEVICE_NAME_MAX_LENGTH, Device, User
from apps.accounts.selectors import stale_before

MAX_DEVICES = 50
"""Devices of one user that are not stale; each of them gets a copy of every message."""

_SESSION_DEVICE = "device_id"
"""Key in the Django session: its device, also after the session got a new key."""

# The first mark that is found counts: Edge calls itself Chrome too, and Chrome Safari.
_BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}

_EXPIRY_SLACK = timedelta(days=1)
_DEFAULT_BACKEND = "django.contrib.auth.backends.ModelBackend"


@transaction.atomic
def log_in_device(user: User, name: str) -> tuple[Device, str]:
    """A new device of the user and its token, which is stored nowhere. Raises LimitReachedError."""
    token = new_secret()
    _check_room(user)
    device = Device.objects.create(
        user=user, name=_device_name(name), kind=Device.Kind.TOKEN, credential_hash=hash_secret(token)
    )
    return device, token


@transaction.atomic
def log_in_session(request: HttpRequest, user: User, name: str = "") -> Device:
    """Log the browser session in (Django's ``login`` included) and return its device. Raises LimitReachedError.

    A session that is logged in as this user keeps its device, one of another user is logged out first.
    """
    known = Device.objects.filter(pk=request.session.get(_SESSION_DEVICE)).first()
    if known is not None and known.user_id != user.pk:
        log_out_session(request)
        known = None
    if known is None:
        _check_room(user)
    login(request, user, backend=getattr(user, "backend", _DEFAULT_BACKEND))
    return ensure_session_device(request, name)


@transaction.atomic
def ensure_session_device(request: HttpRequest, name: str = "") -> Device:
    """The device of a session that is logged in: made at the first call, and again valid after a new session key.

    A session that is used lives on. Raises InvalidCredentialsError for a session without a user, LimitReachedError
    where the device would be one too many.
    """
    user = request.user
    if not isinstance(user, User):
        raise InvalidCredentialsError
    session = request.session
    device = Device.objects.filter(pk=session.get(_SESSION_DEVICE), user=user, kind=Device.Kind.SESSION).first()
    if device is None:
        _check_room(user)
        device = Device(user=user, kind=Device.Kind.SESSION, name=_device_name(name or _browser_name(request)))
        session[_SESSION_DEVICE] = device.pk
    _bind_to_session(device, session)
    return device


def log_out_session(request: HttpRequest) -> None:
    """Log the browser session out: the session ends, and by ``user_logged_out`` its device is removed."""
    logout(request)


def remove_session_device(session: SessionBase) -> None:
    """Remove the device of a session that is about to end; nothing to do where there is none."""
    device = Device.objects.filter(pk=session.get(_SESSION_DEVICE)).first()
    if device is not None:
        _remove([device], reason="logged_out")


def revoke_device(user_id: str, device_id: str, reason: str) -> None:
    """Remove a device of the user: its credential is dead at once, its sockets close. Raises NotFoundError."""
    device = Device.objects.filter(pk=device_id, user_id=user_id).first()
    if device is None:
        raise NotFoundError("device")
    _remove([device], reason=reason)


def revoke_all_devices(user_id: str, reason: str, *, keep_device_id: str | None = None) -> None:
    """Remove all devices of the user, or all but one."""
    devices = Device.objects.filter(user_id=user_id).exclude(pk=keep_device_id)
    _remove(list(devices), reason=reason)


def touch_devices(device_ids: Sequence[str]) -> None:
    """Note that these devices were seen now, in one statement; unknown ids are ignored."""
    Device.objects.filter(pk__in=device_ids).update(last_seen_at=timezone.now())


@transaction.atomic
def _remove(devices: Sequence[Device], *, reason: str) -> None:
    if not devices:
        return
    user_id = devices[0].user_id
    device_ids = [device.pk for device in devices]
    Device.objects.filter(pk__in=device_ids).delete()
    session_store = import_module(settings.SESSION_ENGINE).SessionStore
    for device in devices:
        if device.session_key:
            session_store(device.session_key).delete()
    announce_devices_revoked(user_id, device_ids, reason)
    announce_devices_removed(user_id, device_ids)


def _bind_to_session(device: Device, session: SessionBase) -> None:
    """Make the session's key the device's credential, for as long as the session lives."""
    expires_at = session.get_expiry_date()
    settled = device.expires_at is not None and abs(device.expires_at - expires_at) < _EXPIRY_SLACK
    if settled and not session.modified and device.session_key == session.session_key:
        return
    session.save()
    device.session_key = session.session_key or ""  # A saved session has one; the database would refuse "".
    device.credential_hash = hash_secret(device.session_key)
    device.expires_at = expires_at
    device.save()


def _check_room(user: User) -> None:
    # The user's row is the lock between two logins at once; SQLite has one writer anyway.
    User.objects.select_for_update().get(pk=user.pk)
    if Device.objects.filter(user=user, last_seen_at__gte=stale_before()).count() >= MAX_DEVICES:
        raise LimitReachedError("devices", MAX_DEVICES)


def _device_name(name: str) -> str:
    return name.strip()[:DEVICE_NAME_MAX_LENGTH] or "Unnamed device"


def _browser_name(request: HttpRequest) -> str:
    """A name that people recognise, from the browser's own description of itself."""
    agent = request.META.get("HTTP_USER_AGENT", "")
    browser = next((name for mark, name in _BROWSERS.items() if mark in agent), "Browser")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    return f"{browser} on {system}" if system else browser
