"""The audit log: to read."""

from django.contrib import admin

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
