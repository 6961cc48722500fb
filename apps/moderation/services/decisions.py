"""What a moderator decides about a report. A closed one stays closed."""

from django.db import transaction
from django.utils import timezone

from apps.accounts.errors import NotFoundError
from apps.accounts.models import User
from apps.accounts.services.reputation import restore_reputation
from apps.moderation.audit import record
from apps.moderation.errors import AlreadyDecidedError
from apps.moderation.models import Report, WarningNote
from apps.moderation.services.users import suspend


@transaction.atomic
def take_report(actor: User, report_id: str, note: str = "") -> None:
    """Make it the moderator's own, also where another one had it. Raises NotFoundError and AlreadyDecidedError."""
    report = _lock_undecided(report_id)
    report.state = Report.State.IN_PROGRESS
    report.assignee = actor
    report.save(update_fields=["state", "assignee"])
    record(actor, "take report", report.pk, note)


@transaction.atomic
def release_report(actor: User, report_id: str, note: str = "") -> None:
    """Give it back to the queue, for anybody to take. Raises as `take_report`."""
    report = _lock_undecided(report_id)
    report.state = Report.State.OPEN
    report.assignee = None
    report.save(update_fields=["state", "assignee"])
    record(actor, "release report", report.pk, note)


@transaction.atomic
def dismiss_report(actor: User, report_id: str, reason: str) -> None:
    """Nothing needs to be done; where the spam scorer was wrong, its limit ends too. Raises as `take_report`."""
    report = _lock_undecided(report_id)
    if report.reporter_id is None:
        restore_reputation(report.reported_user_id)
    _close(actor, report, Report.Outcome.DISMISSED)
    record(actor, "dismiss report", report_id, reason)


@transaction.atomic
def warn_reported(actor: User, report_id: str, note: str) -> None:
    """Tell the reported user; the note is what the user reads. Raises as `take_report`."""
    report = _lock_undecided(report_id)
    WarningNote.objects.create(user_id=report.reported_user_id, report=report, note=note)
    _close(actor, report, Report.Outcome.WARNED)
    record(actor, "warn user", report.reported_user_id, note)
    record(actor, "close report", report_id, "warned")


@transaction.atomic
def suspend_reported(actor: User, report_id: str, reason: str) -> None:
    """Suspend the reported user. Raises as `take_report`, and NotAllowedError as `suspend`."""
    report = _lock_undecided(report_id)
    suspend(actor, report.reported_user_id, reason)
    _close(actor, report, Report.Outcome.SUSPENDED)
    record(actor, "close report", report_id, "suspended")


def _lock_undecided(report_id: str) -> Report:
    report = Report.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise NotFoundError("report")
    if report.state == Report.State.CLOSED:
        raise AlreadyDecidedError
    return report


def _close(actor: User, report: Report, outcome: Report.Outcome) -> None:
    report.state, report.outcome, report.closed_at = Report.State.CLOSED, outcome, timezone.now()
    report.assignee = report.assignee or actor
    report.save(update_fields=["state", "outcome", "closed_at", "assignee"])
