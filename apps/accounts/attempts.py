"""How often one address may try to register or log in, through whichever door.

Failed logins are counted by django-axes, by user and address; here every try counts, which also bounds how much
password hashing an address can cause. Counters stand in Django's cache, in fixed windows.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

from apps.accounts.errors import TooManyAttemptsError

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE = 60
HOUR = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimit:
    """At most so many attempts of one kind from one address or user in each window (seconds, attempts; 0: no limit)."""

    name: str
    windows: "Sequence[tuple[int, int]]"


REPORTS = AttemptLimit(name="report", windows=((MINUTE, 10), (24 * HOUR, 100)))


def registration_limit() -> AttemptLimit:
    """Of an address: what the settings say for a minute, and ten times that in an hour."""
    most = settings.REGISTRATIONS_PER_MINUTE_PER_ADDRESS
    return AttemptLimit(name="register", windows=((MINUTE, most), (HOUR, 10 * most)))


def login_limit() -> AttemptLimit:
    """Of an address: what the settings say for a minute."""
    return AttemptLimit(name="login", windows=((MINUTE, settings.LOGINS_PER_MINUTE_PER_ADDRESS),))


def client_address(request: HttpRequest) -> str:
    """The address of the connection; headers that a client could have written are not asked."""
    return str(request.META.get("REMOTE_ADDR", ""))


def check_attempts(limit: AttemptLimit, request: HttpRequest) -> None:
    """Count one attempt of an address. Raises TooManyAttemptsError above the limit, ValkeyError when the cache is
    down.
    """
    _count_in_windows(limit, client_address(request))


def check_user_attempts(limit: AttemptLimit, user_id: str) -> None:
    """Count one attempt of a user, wherever it comes from. Raises as `check_attempts`."""
    _count_in_windows(limit, user_id)


def _count_in_windows(limit: AttemptLimit, who: str) -> None:
    for seconds, attempts in limit.windows:
        if attempts:
            count_attempt(f"{limit.name}:{seconds}:{who}", seconds=seconds, most=attempts)


def count_attempt(name: str, *, seconds: int, most: int) -> None:
    """Count one attempt under this name, which says of what and by whom, in a window of so many seconds.

    Raises TooManyAttemptsError above ``most``, ValkeyError when the cache is down.
    """
    key = f"attempts:{name}"
    cache.add(key, 0, timeout=seconds)
    try:
        count = cache.incr(key)
    except ValueError:  # The window ended between the two commands, and a new one begins with this attempt.
        cache.set(key, count := 1, timeout=seconds)
    if count > most:
        raise TooManyAttemptsError("Too many attempts; try again later.", retry_after_seconds=seconds)
