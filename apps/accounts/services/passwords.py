"""Changing a password: the asking device stays and gets a new credential, all others are logged out."""

from django.contrib.auth import password_validation, update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from apps.accounts.announcements import announce_devices_revoked
from apps.accounts.credentials import hash_secret, new_secret
from apps.accounts.errors import InvalidCredentialsError, InvalidInputError
from apps.accounts.models import Device, User
from apps.accounts.services.authentication import authenticate_user
from apps.accounts.services.devices import ensure_session_device, revoke_all_devices
from apps.accounts.validation import check_password


def change_password(request: HttpRequest, device: Device, *, old_password: str, new_password: str) -> str | None:
    """Change the password of the device's user; returns the device's new token, None for a browser session.

    Every socket of the user is closed, the asking device's own too. Raises InvalidInputError for a wrong old or a weak
    new password, TooManyAttemptsError after too many wrong ones.
    """
    try:
        user = authenticate_user(request, username=device.user.username, password=old_password)
    except InvalidCredentialsError:
        raise InvalidInputError({"old_password": ["This is not your password."]}) from None
    check_password("new_password", new_password, user)
    # The slow hash first, so that no transaction waits for it. Not by set_password(): after that the guard in signals
    # would log the asking device out as well.
    user.password = make_password(new_password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        password_validation.password_changed(new_password, user)
        revoke_all_devices(user.pk, reason="password_changed", keep_device_id=device.pk)
        token = _renew_credential(request, device, user)
        announce_devices_revoked(user.pk, [device.pk], "password_changed")
    return token


def _renew_credential(request: HttpRequest, device: Device, user: User) -> str | None:
    if device.kind == Device.Kind.SESSION:
        request.user = user
        update_session_auth_hash(request, user)
        ensure_session_device(request)
        return None
    token = new_secret()
    device.credential_hash = hash_secret(token)
    device.save(update_fields=["credential_hash"])
    return token
