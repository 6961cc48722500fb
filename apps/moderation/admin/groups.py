"""Roles of moderators: Django's groups of permissions, in the same clothes as the rest; only superusers see them.

They are called roles wherever people read of them: groups are those in which people write, in ``chat_groups``.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from apps.moderation.admin.changes import describe_change
from apps.moderation.admin.decisions import moderator_of
from apps.moderation.audit import record

if TYPE_CHECKING:
    _GroupAdmin = DjangoGroupAdmin
else:

    class _GroupAdmin(DjangoGroupAdmin, ModelAdmin):
        """Django's, dressed by unfold."""


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(_GroupAdmin):
    """Whoever changes what a role may do is in the audit log."""

    filter_horizontal = ()  # as with users: two lists beside each other are wider than many a window

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, under the name that the navigation has for it."""
        return super().changelist_view(request, {"title": "Moderator roles"} | (extra_context or {}))

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What was changed, in words: which permissions came and went."""
        return describe_change(form)

    def log_addition(self, request: HttpRequest, obj: Group, message: Any) -> Any:
        """Note it in the audit log too, with what the role may do."""
        record(moderator_of(request), "add role", obj.name, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Group, message: Any) -> Any:
        """Note it in the audit log too, with what was changed."""
        record(moderator_of(request), "change role", obj.name, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Note it in the audit log too."""
        for group in queryset:
            record(moderator_of(request), "delete role", group.name)
        return super().log_deletions(request, queryset)
