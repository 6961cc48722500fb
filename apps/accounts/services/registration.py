"""New users."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from apps.accounts.announcements import announce_facts
from apps.accounts.credentials import hash_secret, new_secret
from apps.accounts.errors import InvalidInputError
from apps.accounts.models import Device, User, UserSettings
from apps.accounts.palette import avatar_color
from apps.accounts.services.devices import log_in_device
from apps.accounts.validation import check_display_name, check_password, check_username

USERNAME_TAKEN = "This username is taken."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A user made in bulk, with one device; the token stands nowhere else."""

    user_id: str
    username: str
    device_id: str
    token: str


def register_user(username: str, password: str, display_name: str = "") -> User:
    """A new user with the default settings. Raises InvalidInputError with the reasons by field."""
    user = _prepare(username, password, display_name)
    _insert(user)
    return user


def register_with_device(username: str, password: str, display_name: str, device_name: str) -> tuple[User, Device, str]:
    """A new user, the first device and its token: all or nothing. Raises InvalidInputError."""
    user = _prepare(username, password, display_name)
    with transaction.atomic():
        _insert(user)
        device, token = log_in_device(user, device_name)
    return user, device, token


@transaction.atomic
def register_in_bulk(usernames: Sequence[str], device_name: str) -> list[NewAccount]:
    """Many users without a password, with one token device each: for load tests and imports.

    All or none. Raises InvalidInputError for a malformed or taken name.
    """
    for username in usernames:
        check_username(username)
    # One hash for all: it marks that there is no password, and hashing is what makes registration slow.
    no_password = make_password(None)
    users = [User(username=name, display_name=name, password=no_password) for name in usernames]
    for user in users:
        user.avatar_color = avatar_color(user.pk)
    tokens = [new_secret() for _ in users]
    devices = [
        Device(user=user, name=device_name, kind=Device.Kind.TOKEN, credential_hash=hash_secret(token))
        for user, token in zip(users, tokens, strict=True)
    ]
    try:
        with transaction.atomic():
            User.objects.bulk_create(users)
    except IntegrityError:
        raise InvalidInputError({"username": [USERNAME_TAKEN]}) from None
    UserSettings.objects.bulk_create([UserSettings(user=user) for user in users])
    Device.objects.bulk_create(devices)
    announce_facts([user.pk for user in users])
    return [
        NewAccount(user_id=user.pk, username=user.username, device_id=device.pk, token=token)
        for user, device, token in zip(users, devices, tokens, strict=True)
    ]


def _prepare(username: str, password: str, display_name: str) -> User:
    """The checked user, not saved yet. The slow hash is made here, so that no transaction waits for it."""
    check_username(username)
    user = User(username=username, display_name=check_display_name(display_name or username))
    check_password("password", password, user)
    user.password = make_password(password)
    return user


@transaction.atomic
def _insert(user: User) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise InvalidInputError({"username": [USERNAME_TAKEN]}) from None
    UserSettings.objects.create(user=user)
    announce_facts([user.pk])
