"""What moderation holds of one person, for the archive that the person may ask for, and what goes with the account.

Reports go with whoever wrote them and with whomever they are about, warnings with the warned: their rows point there.
The audit log stays: there a deleted user is an id, and a deleted moderator the name under which they decided.
"""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from apps.accounts.models import Reputation, User
from apps.moderation.models import AuditEntry, Report, WarningNote

Lines = list[dict[str, Any]]


def count_held(user_id: str) -> dict[str, int]:
    """How much there is of each kind that `delete_user` takes along."""
    return {
        "reports": Report.objects.filter(reporter_id=user_id).count(),
        "reports_about": Report.objects.filter(reported_user_id=user_id).count(),
        "warnings": WarningNote.objects.filter(user_id=user_id).count(),
    }


def list_reports(user_id: str) -> Lines:
    """What the user reported, with the words that they handed in."""
    return [
        {
            "report_id": report.pk,
            "reported_user_id": report.reported_user_id,
            "message_id": report.message_id or None,
            "group_id": report.group_id or None,
            "reason": report.reason,
            "content": report.content,
            "state": report.state,
            "created_at": report.created_at.isoformat(),
            "closed_at": report.closed_at.isoformat() if report.closed_at else None,
        }
        for report in Report.objects.filter(reporter_id=user_id).order_by("created_at", "pk")
    ]


def describe_conduct(user: User) -> dict[str, Any]:
    """What others said and decided about the user.

    Not by whom, and of what people said only that they did: reporters and moderators are persons too. What the site
    itself found is told in full.
    """
    return {
        "suspension_reason": user.suspension_reason or None,
        "message_limit": _limit(Reputation.objects.filter(pk=user.pk).first()),
        "warnings": [
            {"note": warning.note, "created_at": warning.created_at.isoformat()}
            for warning in WarningNote.objects.filter(user=user).order_by("pk")
        ],
        "reports_about": [_report_about(report) for report in user.reports_about.order_by("created_at", "pk")],
        "decisions": [
            {"action": entry.action, "at": entry.at.isoformat()}
            for entry in AuditEntry.objects.filter(target=user.pk).order_by("pk")
        ],
        "decided_as_moderator": [
            {"action": entry.action, "target": entry.target, "reason": entry.reason, "at": entry.at.isoformat()}
            for entry in AuditEntry.objects.filter(actor_id=user.pk).order_by("pk")
        ],
    }


def forget_name(user_id: str) -> None:
    """Delete what the admin itself noted of the row, where the username stands; the audit log tells the rest."""
    content_type = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=content_type, object_id=user_id).delete()


def _limit(found: Reputation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "reason": found.reason,
        "points": found.points,
        "messages_per_minute": found.messages_per_minute,
        "limited_until": found.limited_until.isoformat() if found.limited_until else None,
        "times_limited": found.times_limited,
    }


def _report_about(report: Report) -> dict[str, Any]:
    by_the_site = report.reporter_id is None
    return {
        "by_the_site": by_the_site,
        "reason": report.reason if by_the_site else None,
        "state": report.state,
        "outcome": report.outcome or None,
        "created_at": report.created_at.isoformat(),
        "closed_at": report.closed_at.isoformat() if report.closed_at else None,
    }
