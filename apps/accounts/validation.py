"""Checks of names and passwords as services need them: Django's validators, with the field named."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.accounts.errors import InvalidInputError
from apps.accounts.models import User
from apps.accounts.names import validate_display_name, validate_username


def check_username(username: str) -> None:
    """Raise InvalidInputError unless it is well-formed; whether it is free only the database knows."""
    try:
        validate_username(username)
    except ValidationError as error:
        raise InvalidInputError({"username": error.messages}) from None


def check_display_name(display_name: str) -> str:
    """The name without the space around it. Raises InvalidInputError."""
    shown = display_name.strip()
    try:
        validate_display_name(shown)
    except ValidationError as error:
        raise InvalidInputError({"display_name": error.messages}) from None
    return shown


def check_password(field: str, password: str, user: User) -> None:
    """Raise InvalidInputError, naming the field, unless Django's validators take the password for this user."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInputError({field: error.messages}) from None
