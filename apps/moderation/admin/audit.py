"""The audit log: to read."""

from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.moderation.admin.read_only import ReadOnlyAdmin
from apps.moderation.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Newest first; searched by who and on whom."""

    list_display = ("at", "actor_name", "action", "target", "reason")
    list_filter = ("action",)
    search_fields = ("=actor_id", "actor_name", "=target")
    search_help_text = "Name or id of the moderator, id of the user or report, or an address range"
    ordering = ("-at", "-pk")
    actions = None


def show_in_audit_log(target: str) -> HttpResponse:
    """The way to all that was done to a user, report or address range."""
    return HttpResponseRedirect(f"{reverse('admin:moderation_auditentry_changelist')}?{urlencode({'q': target})}")
