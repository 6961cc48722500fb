"""Checks of what people give for a group, with the field named; whether they may change it, `rules` says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.core.exceptions import ValidationError

from apps.accounts.errors import InvalidInputError, LimitReachedError
from apps.accounts.names import validate_shown_name, validate_shown_text
from apps.groups.errors import ChangeRefused
from apps.groups.models import DESCRIPTION_MAX_LENGTH, NAME_MAX_LENGTH
from apps.groups.rules import MAX_NAMED, MAX_SLOW_MODE_SECONDS
from apps.groups.selectors import list_blockers, list_crowded, list_living
from apps.protocol.ids import is_media_id

MAX_GROUPS = 1_000
"""In which a user may be; what one gets in two at the same moment may be one more."""


def check_name(name: str) -> str:
    """The name without the space around it. Raises InvalidInputError."""
    shown = name.strip()
    with _naming("name"):
        validate_shown_name(shown, what="A group's name", max_length=NAME_MAX_LENGTH)
    return shown


def check_description(description: str) -> str:
    """The description without the space around it; it may be empty, and have lines. Raises InvalidInputError."""
    shown = description.strip().replace("\r\n", "\n")
    with _naming("description"):
        validate_shown_text(shown, what="A description", max_length=DESCRIPTION_MAX_LENGTH, line_breaks=True)
    return shown


def check_picture(picture: str) -> str:
    """The id of a medium, or "" for none. Raises InvalidInputError."""
    if picture and not is_media_id(picture):
        raise InvalidInputError({"picture": ["Give the id of a medium, or nothing."]})
    return picture


def check_slow_mode(seconds: int) -> int:
    """Seconds between two messages of a member. Raises InvalidInputError."""
    if not 0 <= seconds <= MAX_SLOW_MODE_SECONDS:
        reason = f"Give a whole number of seconds, {MAX_SLOW_MODE_SECONDS} at most; 0 switches it off."
        raise InvalidInputError({"slow_mode_seconds": [reason]})
    return seconds


def check_room(user_id: str) -> None:
    """Raise LimitReachedError for a user who is in as many groups as anybody may be."""
    if list_crowded([user_id], MAX_GROUPS):
        raise LimitReachedError("groups", MAX_GROUPS)


def check_named(user_ids: Sequence[str], *, field: str) -> tuple[str, ...]:
    """The users, each once. Raises InvalidInputError for more than may be named at once."""
    named = tuple(dict.fromkeys(user_ids))
    if len(named) > MAX_NAMED:
        raise InvalidInputError({field: [f"Name at most {MAX_NAMED} people at once."]})
    return named


def check_people(by: str, user_ids: Sequence[str], *, field: str) -> None:
    """Raise, with everybody named, InvalidInputError where somebody does not exist, and ChangeRefused where somebody
    has blocked who adds them or is in as many groups as anybody may be.

    The rules would leave them out silently: so it goes with those who block while the change is on its way.
    """
    living = list_living(user_ids)
    if unknown := [one for one in user_ids if one not in living]:
        raise InvalidInputError({field: [f"There is no user {one}." for one in unknown]})
    blockers, crowded = list_blockers(by, user_ids), list_crowded(user_ids, MAX_GROUPS)
    reasons = [f"{one} does not want to be added by you." for one in user_ids if one in blockers]
    reasons += [f"{one} is in as many groups as anybody may be." for one in user_ids if one in crowded]
    if reasons:
        raise ChangeRefused("forbidden", {field: reasons})


@contextmanager
def _naming(field: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise InvalidInputError({field: error.messages}) from None
