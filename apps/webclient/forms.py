"""The forms before the chat. What a name or a password may be is said by accounts, which checks it all again."""

from typing import Any

from django import forms

from apps.accounts.names import (
    DISPLAY_NAME_MAX_LENGTH,
    USERNAME_MAX_LENGTH,
    validate_display_name,
    validate_username,
)

_USERNAME_ATTRIBUTES = {"autocapitalize": "none", "autocomplete": "username", "spellcheck": "false"}


def _password_input(autocomplete: str) -> forms.PasswordInput:
    return forms.PasswordInput(attrs={"autocomplete": autocomplete})


class AccountForm(forms.Form):
    """Fields are described to assistive technology by their hints and errors, without colons after the labels."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def add_field_errors(self, fields: dict[str, list[str]]) -> None:
        """Show the reasons a service gave, each at its field; those of fields that are not here, above the form."""
        for name, reasons in fields.items():
            for reason in reasons:
                self.add_error(name if name in self.fields else None, reason)


class LoginForm(AccountForm):
    """Username and password of somebody who has an account."""

    username = forms.CharField(
        label="Username", max_length=USERNAME_MAX_LENGTH, widget=forms.TextInput(attrs=_USERNAME_ATTRIBUTES)
    )
    password = forms.CharField(label="Password", strip=False, widget=_password_input("current-password"))


class RegistrationForm(AccountForm):
    """A new account; without a display name the username is shown."""

    username = forms.CharField(
        label="Username",
        max_length=USERNAME_MAX_LENGTH,
        help_text="Others find you by it. Letters, digits, dots, hyphens and underscores.",
        validators=[validate_username],
        widget=forms.TextInput(attrs=_USERNAME_ATTRIBUTES),
    )
    display_name = forms.CharField(
        label="Display name",
        max_length=DISPLAY_NAME_MAX_LENGTH,
        required=False,
        help_text="What others see. You may leave it empty.",
        validators=[validate_display_name],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(label="Password", strip=False, widget=_password_input("new-password"))
    confirm_password = forms.CharField(label="Confirm password", strip=False, widget=_password_input("new-password"))

    def clean(self) -> dict[str, Any]:
        """Compare the two passwords."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        password, confirmation = cleaned.get("password"), cleaned.get("confirm_password")
        if password and confirmation and password != confirmation:
            self.add_error("confirm_password", "The two passwords are not the same.")
        return cleaned
