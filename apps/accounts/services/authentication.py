"""Who is it? By username and password."""

from typing import NoReturn

from axes.utils import reset as reset_failures
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest

from apps.accounts.attempts import check_attempts, client_address, login_limit
from apps.accounts.errors import AccountSuspendedError, InvalidCredentialsError, TooManyAttemptsError
from apps.accounts.models import User
from apps.accounts.names import username_key


def authenticate_user(request: HttpRequest, *, username: str, password: str) -> User:
    """The user of this name and password.

    Raises InvalidCredentialsError, AccountSuspendedError (for the right password only), and TooManyAttemptsError for
    too many tries from this address, or failed ones for this name from it. Raises ValkeyError when the counters cannot
    be reached.
    """
    check_attempts(login_limit(), request)
    key = username_key(username)
    user = authenticate(request, username=key, password=password)
    if getattr(request, "axes_locked_out", False):
        # The caller words the refusal; the middleware of axes would put its own page in place of it.
        request.axes_locked_out = False  # type: ignore[attr-defined]
        raise TooManyAttemptsError(
            "Too many failed logins; try again later.",
            retry_after_seconds=int(settings.AXES_COOLOFF_TIME.total_seconds()),
        )
    if not isinstance(user, User):
        _refuse(key, password)
    reset_failures(ip=client_address(request), username=key)
    return user


def _refuse(key: str, password: str) -> NoReturn:
    """Django's backend knows only yes and no; a suspended user is told so, after the right password."""
    user = User.objects.filter_named(key).filter(is_active=False).first()
    if user is not None and user.check_password(password):
        raise AccountSuspendedError(user.suspension_reason)
    raise InvalidCredentialsError
