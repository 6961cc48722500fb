"""Reads of moderation. Nothing here writes."""

from apps.moderation.models import Report, WarningNote


def list_reports_by(reporter_id: str, *, before: str = "", limit: int) -> list[Report]:
    """The user's own reports, newest first, after the one of an id."""
    reports = Report.objects.filter(reporter_id=reporter_id).order_by("-created_at", "-pk")
    if before:
        last = Report.objects.filter(reporter_id=reporter_id, pk=before).first()
        if last is None:
            return []
        reports = reports.filter(created_at__lte=last.created_at).exclude(created_at=last.created_at, pk__gte=last.pk)
    return list(reports[:limit])


def list_warnings(user_id: str, *, after: int = 0, limit: int) -> list[WarningNote]:
    """The user's warnings, in the order they came, after a row's number."""
    return list(WarningNote.objects.filter(user_id=user_id, pk__gt=after).order_by("pk")[:limit])
