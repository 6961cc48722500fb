"""What a username may be, and a display name or another text that people give and others read."""

import re
import unicodedata
from collections.abc import Mapping

from django.core.exceptions import ValidationError

USERNAME_MIN_LENGTH = 3
USERNAME_MAX_LENGTH = 32
DISPLAY_NAME_MAX_LENGTH = 64

_USERNAME = re.compile(rf"[A-Za-z0-9_.-]{{{USERNAME_MIN_LENGTH},{USERNAME_MAX_LENGTH}}}\Z")
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def validate_username(value: str) -> None:
    """Raise ValidationError unless it is 3 to 32 ASCII letters, digits, ``_``, ``.`` or ``-``."""
    if _USERNAME.match(value) is None:
        raise ValidationError(
            f"A username has {USERNAME_MIN_LENGTH} to {USERNAME_MAX_LENGTH} letters, digits, dots, hyphens or "
            "underscores.",
            code="invalid_username",
        )


def validate_display_name(value: str) -> None:
    """Raise ValidationError on blank or long names, and on characters that would forge a line or its direction."""
    validate_shown_name(value, what="A display name", max_length=DISPLAY_NAME_MAX_LENGTH)


def validate_shown_name(value: str, *, what: str, max_length: int) -> None:
    """The same for any name that people give and others read; ``what`` begins the sentence that says what is wrong."""
    if not value.strip():
        raise ValidationError(f"{what} has at least one visible character.", code="blank")
    validate_shown_text(value, what=what, max_length=max_length)


def validate_shown_text(value: str, *, what: str, max_length: int, line_breaks: bool = False) -> None:
    """The same for what may be empty; with ``line_breaks`` it may have more than one line."""
    if len(value) > max_length:
        raise ValidationError(f"{what} has at most {max_length} characters.", code="max_length")
    shown = value.replace("\n", "") if line_breaks else value
    if any(unicodedata.category(char) in _CONTROL_CATEGORIES or char in _DIRECTION_OVERRIDES for char in shown):
        raise ValidationError(f"{what} has no control characters.", code="control_characters")


def username_key(username: str) -> str:
    """The form in which usernames are compared: ``Ada`` and ``ada`` are one person."""
    return username.lower()


def lockout_name(request: object, credentials: Mapping[str, str] | None) -> str | None:
    """The name by which django-axes counts failed logins: one count for all spellings."""
    username = (credentials or {}).get("username")
    return None if username is None else username_key(username)
