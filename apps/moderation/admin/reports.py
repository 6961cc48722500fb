"""The queue of reports: look, take, decide."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.moderation.admin.audit import show_in_audit_log
from apps.moderation.admin.decisions import Decision, decide
from apps.moderation.admin.memberships import link_to
from apps.moderation.admin.read_only import ReadOnlyAdmin
from apps.moderation.models import Report
from apps.moderation.services import dismiss_report, release_report, suspend_reported, take_report, warn_reported

TAKE = Decision(
    title="Take this report",
    explanation="It becomes yours, and others see that you look after it.",
    reason_label="Note for the audit log, if you like",
    button="Take",
    done="The report is yours.",
    apply=take_report,
    needs_reason=False,
)
RELEASE = Decision(
    title="Release this report",
    explanation="It goes back to the queue, and anybody can take it.",
    reason_label="Note for the audit log, if you like",
    button="Release",
    done="The report is open again.",
    apply=release_report,
    needs_reason=False,
)
DISMISS = Decision(
    title="Dismiss this report",
    explanation="Nothing happens to the reported user, and the report is closed. The reporter sees that it is. "
    "Where the spam scorer reported, its message limit ends, and it makes no new one for a while.",
    reason_label="Why nothing needs to be done",
    button="Dismiss",
    done="The report is closed.",
    apply=dismiss_report,
)
WARN = Decision(
    title="Warn the reported user",
    explanation="The user can read this note, and the report is closed. The note does not say who reported.",
    reason_label="Note to the user",
    button="Send the warning",
    done="The user is warned, and the report is closed.",
    apply=warn_reported,
)
SUSPEND = Decision(
    title="Suspend the reported user",
    explanation="All windows and apps of the user close within seconds, and no login works until it is lifted.",
    reason_label="Reason, which the user reads at the next login",
    button="Suspend",
    done="The user is suspended, and the report is closed.",
    apply=suspend_reported,
    dangerous=True,
)
THE_SCORER = "the spam scorer"
_STATE_COLOURS = {"Open": "warning", "In progress": "info", "Closed": "success"}


class ReportedByFilter(admin.SimpleListFilter):
    """Reports of people, or of the site itself."""

    title = "reported by"
    parameter_name = "by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """What can be chosen."""
        return (("people", "people"), ("scorer", THE_SCORER))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        """Those that were chosen."""
        return queryset if self.value() is None else queryset.filter(reporter__isnull=self.value() == "scorer")


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """Undecided ones first. What was written is shown as the reporter handed it in, and never looked up."""

    list_display = ("created_at", "shown_state", "reported_user", "reason", "shown_reporter", "repeats", "assignee")
    list_filter = ("state", "outcome", ReportedByFilter, ("assignee", admin.RelatedOnlyFieldListFilter))
    search_fields = ("=id", "reason", "=reported_user__id", "reported_user__username", "=reporter__id", "=group_id")
    list_select_related = ("reported_user", "reporter", "assignee")
    ordering = (F("closed_at").desc(nulls_first=True), "-created_at")
    actions = None
    actions_detail = ("take", "release", "dismiss", "warn", "suspend")
    fieldsets = (
        (None, {"fields": ("shown_state", "reported_user", "shown_group", "reason", "shown_reporter")}),
        (
            "As the reporter handed it in",
            {
                "fields": ("message_id", "content"),
                "description": "The site does not look messages up: the words below are the reporter's own copy.",
            },
        ),
        ("Course", {"fields": ("created_at", "repeats", "assignee", "outcome", "closed_at")}),
    )

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the audit log tells of it: there stands what services did."""
        return show_in_audit_log(unquote(object_id))

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may take, dismiss and warn."""
        return request.user.has_perm("moderation.decide_report")

    def has_suspend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Who may suspend too."""
        return request.user.has_perm("moderation.suspend_user")

    @display(description="State", ordering="state", label=_STATE_COLOURS)
    def shown_state(self, report: Report) -> str:
        """The state as a coloured label."""
        return str(report.get_state_display())

    @display(description="Reporter", ordering="reporter")
    def shown_reporter(self, report: Report) -> str:
        """Who reported; nobody did where the site found it."""
        return THE_SCORER if report.reporter is None else str(report.reporter)

    @display(description="In the group")
    def shown_group(self, report: Report) -> SafeString | str:
        """The way to the group that the message went to."""
        return link_to("groups_group", report.group_id, report.group_id) if report.group_id else "none"

    def get_fieldsets(self, request: HttpRequest, obj: Report | None = None) -> Any:
        """The spam scorer reads no message, so it hands none in."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or obj.reporter_id is not None:
            return fieldsets
        return [(name, options) for name, options in fieldsets if "content" not in options["fields"]]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[object]:
        """No buttons on a closed report; release is for one that somebody has taken."""
        state = Report.objects.filter(pk=object_id).values_list("state", flat=True).first()
        if state == Report.State.CLOSED:
            return []
        allowed: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's
        return [one for one in allowed if state != Report.State.OPEN or not one.action_name.endswith("_release")]

    @action(description="Take", permissions=["decide"], url_path="take", icon="front_hand")
    def take(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make it the moderator's own."""
        return decide(self, request, object_id, TAKE)

    @action(description="Release", permissions=["decide"], url_path="release", icon="undo")
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give it back to the queue."""
        return decide(self, request, object_id, RELEASE)

    @action(description="Dismiss", permissions=["decide"], url_path="dismiss", icon="check")
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close it without consequences."""
        return decide(self, request, object_id, DISMISS)

    @action(
        description="Warn",
        permissions=["decide"],
        url_path="warn",
        icon="warning",
        variant=ActionVariant.WARNING,
    )
    def warn(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send the reported user a note."""
        return decide(self, request, object_id, WARN)

    @action(
        description="Suspend user",
        permissions=["decide", "suspend"],
        url_path="suspend",
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Suspend the reported user."""
        return decide(self, request, object_id, SUSPEND)
