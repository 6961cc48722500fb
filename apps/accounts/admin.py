"""The admin's own door. Its pages for users stand with moderation, which decides about them."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from apps.accounts.errors import AccountError
from apps.accounts.services import authenticate_user


class StaffAuthenticationForm(AuthenticationForm):
    """The admin's own door, under the same limits as all others."""

    def clean(self) -> dict[str, Any]:
        """Whoever it is must be staff. Raises ValidationError, also for too many tries."""
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if username and password and self.request is not None:
            try:
                self.user_cache = authenticate_user(self.request, username=username, password=password)
            except AccountError as error:
                raise ValidationError(error.message) from None
            self.confirm_login_allowed(self.user_cache)
        cleaned: dict[str, Any] = self.cleaned_data
        return cleaned


admin.site.login_form = StaffAuthenticationForm
