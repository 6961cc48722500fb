"""Users in the admin: find, look, suspend. Suspension goes through the services, so that sockets close."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import BaseUserCreationForm
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.announcements import announce_facts
from apps.accounts.errors import AccountError
from apps.accounts.models import User
from apps.accounts.services import authenticate_user, suspend_user, unsuspend_user

if TYPE_CHECKING:
    _CreationForm = BaseUserCreationForm[User]
    _UserAdmin = DjangoUserAdmin[User]
else:
    _CreationForm = BaseUserCreationForm
    _UserAdmin = DjangoUserAdmin


class StaffAuthenticationForm(AdminAuthenticationForm):
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
        return self.cleaned_data


admin.site.login_form = StaffAuthenticationForm


class UserCreationForm(_CreationForm):
    """A new user by name and password."""

    class Meta:
        model = User
        fields = ("username", "display_name")


@admin.register(User)
class UserAdmin(_UserAdmin):
    """Search and list of users. Deleting a user is not a row's affair and is not offered here."""

    add_form = UserCreationForm
    list_display = ("username", "display_name", "id", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("=id", "username", "display_name")
    ordering = ("-date_joined",)
    readonly_fields = ("id", "is_active", "date_joined", "last_login")
    filter_horizontal = ("groups", "user_permissions")
    fieldsets = (
        (None, {"fields": ("id", "username", "password", "display_name", "avatar_color")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "display_name", "password1", "password2")}),)
    actions = ("suspend", "unsuspend")

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Never: messages, devices and caches of a user have to go with the row."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save, and tell the chat servers about a new user."""
        super().save_model(request, obj, form, change)
        announce_facts([obj.pk])

    @admin.action(description="Suspend: log out now and refuse", permissions=["change"])
    def suspend(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Suspend the chosen users."""
        for user in users:
            suspend_user(user.pk)

    @admin.action(description="Let in again", permissions=["change"])
    def unsuspend(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """End the suspension of the chosen users."""
        for user in users:
            unsuspend_user(user.pk)
