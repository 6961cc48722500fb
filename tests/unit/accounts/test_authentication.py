"""Logging in by password, and what stops those who guess."""

from collections.abc import Callable

import pytest
from django.contrib.auth import authenticate

from apps.accounts import attempts
from apps.accounts.attempts import AttemptLimit, check_attempts
from apps.accounts.errors import AccountSuspendedError, InvalidCredentialsError, TooManyAttemptsError
from apps.accounts.models import User
from apps.accounts.services import authenticate_user, suspend_user

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("cache_valkey")


@pytest.mark.parametrize("name", ["Ada", "ada", "ADA"])
def test_the_right_password_opens_in_any_case_of_the_name(ada: User, browser_request: Callable, name: str) -> None:
    assert authenticate_user(browser_request(), username=name, password=PASSWORD) == ada


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("", ""), ("ada", "")])
def test_a_wrong_password_and_an_unknown_name_are_refused_alike(
    ada: User, browser_request: Callable, name: str, password: str
) -> None:
    with pytest.raises(InvalidCredentialsError):
        authenticate_user(browser_request(), username=name, password=password)


def test_a_suspended_user_learns_so_only_by_the_right_password(ada: User, browser_request: Callable) -> None:
    suspend_user(ada.pk)
    with pytest.raises(InvalidCredentialsError):
        authenticate_user(browser_request(), username="ada", password="wrong")
    with pytest.raises(AccountSuspendedError):
        authenticate_user(browser_request(), username="ada", password=PASSWORD)


def guess(make_request: Callable, times: int, name: str = "ada") -> list[str]:
    """Try a wrong password some times; how each try ended."""
    outcomes = []
    for number in range(times):
        try:
            spelling = name.upper() if number % 2 else name
            authenticate_user(make_request(), username=spelling, password=f"guess {number}")
        except (InvalidCredentialsError, TooManyAttemptsError) as error:
            outcomes.append(error.code)
    return outcomes


def test_ten_failures_lock_the_name_for_this_address(ada: User, bob: User, browser_request: Callable) -> None:
    assert guess(browser_request, 11) == ["invalid_credentials"] * 9 + ["throttled"] * 2
    with pytest.raises(TooManyAttemptsError) as refusal:
        authenticate_user(browser_request(), username="ada", password=PASSWORD)
    assert refusal.value.retry_after_seconds == 15 * 60
    assert authenticate_user(browser_request(), username="bob", password=PASSWORD) == bob
    elsewhere = browser_request()
    elsewhere.META["REMOTE_ADDR"] = "192.0.2.7"
    assert authenticate_user(elsewhere, username="ada", password=PASSWORD) == ada


def test_a_header_of_the_client_does_not_make_it_another_address(ada: User, browser_request: Callable) -> None:
    guess(browser_request, 10)
    request = browser_request()
    request.META["HTTP_X_FORWARDED_FOR"] = "192.0.2.7"
    with pytest.raises(TooManyAttemptsError):
        authenticate_user(request, username="ada", password=PASSWORD)


def test_a_success_forgets_the_failures_before(ada: User, browser_request: Callable) -> None:
    guess(browser_request, 9)
    authenticate_user(browser_request(), username="ada", password=PASSWORD)
    assert guess(browser_request, 9) == ["invalid_credentials"] * 9


def test_the_lock_holds_at_the_door_of_the_admin_too(ada: User, browser_request: Callable) -> None:
    guess(browser_request, 10)
    assert authenticate(browser_request(), username="aDa", password=PASSWORD) is None


def test_doors_are_bounded_as_the_settings_say_and_not_at_all_at_zero(browser_request: Callable, settings) -> None:
    assert attempts.registration_limit().windows == ((60, 60), (3600, 600))
    assert attempts.login_limit().windows == ((60, 120),)
    settings.REGISTRATIONS_PER_MINUTE_PER_ADDRESS, settings.LOGINS_PER_MINUTE_PER_ADDRESS = 2, 0
    for _ in range(200):
        check_attempts(attempts.login_limit(), browser_request())
    for _ in range(2):
        check_attempts(attempts.registration_limit(), browser_request())
    with pytest.raises(TooManyAttemptsError):
        check_attempts(attempts.registration_limit(), browser_request())
    settings.REGISTRATIONS_PER_MINUTE_PER_ADDRESS = 0
    check_attempts(attempts.registration_limit(), browser_request())


def test_attempts_from_one_address_are_bounded_whoever_they_are_for(
    browser_request: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = AttemptLimit(name="test", windows=((60, 2), (3600, 3)))
    check_attempts(limit, browser_request())
    check_attempts(limit, browser_request())
    with pytest.raises(TooManyAttemptsError) as refusal:
        check_attempts(limit, browser_request())
    assert refusal.value.retry_after_seconds == 60
    attempts.cache.delete("attempts:test:60:127.0.0.1")
    check_attempts(limit, browser_request())
    with pytest.raises(TooManyAttemptsError) as refusal:
        check_attempts(limit, browser_request())
    assert refusal.value.retry_after_seconds == 3600
