"""Usernames and display names: what is taken and what is not."""

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.names import lockout_name, username_key, validate_display_name, validate_username


@pytest.mark.parametrize("name", ["ada", "A.d-a_99", "x" * 32, "..."])
def test_a_well_formed_username_is_taken(name: str) -> None:
    validate_username(name)


@pytest.mark.parametrize(
    "name", ["", "ab", "x" * 33, "with space", "ümlaut", "ada\n", "a/b", "аdа", "ada\0", " ada", "a@b"]
)
def test_a_malformed_username_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="3 to 32"):
        validate_username(name)


@pytest.mark.parametrize("name", ["Ada", "Ада Лавлейс", "👩‍👩‍👧", "x" * 64, "O'Neil, the 3rd"])
def test_a_display_name_may_be_in_any_script(name: str) -> None:
    validate_display_name(name)


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "two\nlines", "nul\0", "over\u202eride", "line\u2028sep"])
def test_a_display_name_that_could_forge_the_page_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_display_name(name)


def test_usernames_are_compared_without_case() -> None:
    assert username_key("AdA") == username_key("ada")


def test_failed_logins_are_counted_for_all_spellings_together() -> None:
    assert lockout_name(None, {"username": "ADA"}) == "ada"
    assert lockout_name(None, None) is None
