"""The admin's start: what waits and what was decided lately, as far as the person who asks may see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import Reputation, User
from apps.moderation.models import AddressBan, AuditEntry, Report

LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number, and where it leads."""

    title: str
    number: int
    link: str


def describe_start(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the start page is given: figures, the newest undecided reports, the latest entries of the audit log."""
    may = request.user.has_perm
    context["figures"] = _figures(may)
    if may("moderation.view_report"):
        undecided = Report.objects.exclude(state=Report.State.CLOSED).select_related("reported_user", "assignee")
        context["undecided"] = undecided.order_by("-created_at")[:LINES]
    if may("moderation.view_auditentry"):
        context["entries"] = AuditEntry.objects.order_by("-at", "-pk")[:LINES]
    return context


def _figures(may: Callable[[str], bool]) -> list[Figure]:
    found: list[Figure] = []
    if may("moderation.view_report"):
        reports, undecided = reverse("admin:moderation_report_changelist"), ~Q(state=Report.State.CLOSED)
        by_people = Report.objects.filter(undecided, reporter__isnull=False).count()
        by_scorer = Report.objects.filter(undecided, reporter=None).count()
        found.append(Figure(title="Undecided, by people", number=by_people, link=f"{reports}?by=people"))
        found.append(Figure(title="Undecided, by the spam scorer", number=by_scorer, link=f"{reports}?by=scorer"))
    if may("accounts.view_user"):
        users = reverse("admin:accounts_user_changelist")
        suspended = User.objects.filter(is_active=False).count()
        limited = Reputation.objects.limited().count()
        found.append(Figure(title="Suspended users", number=suspended, link=f"{users}?is_active__exact=0"))
        found.append(Figure(title="Users with a message limit", number=limited, link=f"{users}?limited=yes"))
    if may("moderation.view_addressban"):
        bans = AddressBan.objects.in_force().count()
        link = reverse("admin:moderation_addressban_changelist")
        found.append(Figure(title="Bans in force", number=bans, link=link))
    return found
