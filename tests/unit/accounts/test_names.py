"""Usernames and display names: what is taken and what is not."""

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.names import (
    lockout_name,
    username_key,
    validate_display_name,
    validate_shown_name,
    validate_shown_text,
    validate_username,
)


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


def test_another_name_is_checked_alike_and_says_what_it_is() -> None:
    validate_shown_name("x" * 100, what="A group's name", max_length=100)
    for name in ("", " ", "x" * 101, "two\nlines", "over\u202eride"):
        with pytest.raises(ValidationError, match="A group's name has"):
            validate_shown_name(name, what="A group's name", max_length=100)


def test_a_text_may_be_empty_and_have_lines_where_that_is_said() -> None:
    for text in ("", "two\nlines"):
        validate_shown_text(text, what="A description", max_length=10, line_breaks=True)
    with pytest.raises(ValidationError):
        validate_shown_text("two\nlines", what="A description", max_length=10)
    for text in ("x" * 11, "a\rb", "a\u2028b", "a\n\u202eb"):
        with pytest.raises(ValidationError):
            validate_shown_text(text, what="A description", max_length=10, line_breaks=True)


def test_usernames_are_compared_without_case() -> None:
    assert username_key("AdA") == username_key("ada")


def test_failed_logins_are_counted_for_all_spellings_together() -> None:
    assert lockout_name(None, {"username": "ADA"}) == "ada"
    assert lockout_name(None, None) is None
