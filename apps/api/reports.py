"""/api/reports and /api/warnings: what users tell the moderators, and what these tell them."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.attempts import REPORTS, check_user_attempts
from apps.accounts.errors import InvalidInputError
from apps.api.answers import ReportAnswer, WarningAnswer, page_of
from apps.api.base import PolledApiView, read_body, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.fields import TextField
from apps.api.pagination import page_response, read_cursor, read_number_cursor
from apps.api.representations import to_milliseconds
from apps.moderation.models import CONTENT_MAX_LENGTH, REASON_MAX_LENGTH, Report, WarningNote
from apps.moderation.selectors import list_reports_by, list_warnings
from apps.moderation.services import report_message, report_user
from apps.protocol.ids import is_message_id, is_user_id

PAGE_SIZE = 100


class ReportBody(serializers.Serializer[Any]):
    user_id = TextField(required=False, help_text="The user, or")
    message_id = TextField(required=False, help_text="a message that the asking user received: exactly one of the two.")
    reason = TextField(max_length=REASON_MAX_LENGTH)
    content = TextField(
        max_length=CONTENT_MAX_LENGTH,
        required=False,
        allow_blank=True,
        default="",
        help_text="The message as the reporter has it.",
    )


class ReportsView(PolledApiView):
    """GET and POST /api/reports"""

    @answers({200: page_of(ReportAnswer)}, query=[CURSOR], summary="What the user has reported")
    def get(self, request: Request) -> Response:
        """The asking user's own reports, newest first, and how they stand."""
        rows = list_reports_by(user_of(request).pk, before=read_cursor(request), limit=PAGE_SIZE + 1)
        return page_response(rows, size=PAGE_SIZE, key=lambda row: row.pk, build=build_report)

    @answers({201: ReportAnswer, 200: ReportAnswer}, body=ReportBody, refusals=["not_found"], summary="Report somebody")
    def post(self, request: Request) -> Response:
        """Report a user, or a message that one received; 200 for what is reported and undecided already."""
        body = read_body(request, ReportBody)
        user_id, message_id = _read_subject(body)
        reporter_id = user_of(request).pk
        check_user_attempts(REPORTS, reporter_id)
        words = {"reason": body["reason"], "content": body["content"]}
        if message_id:
            report, is_new = report_message(reporter_id, message_id, **words)
        else:
            report, is_new = report_user(reporter_id, user_id, **words)
        return Response(build_report(report), status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


class WarningsView(PolledApiView):
    """GET /api/warnings"""

    @answers({200: page_of(WarningAnswer)}, query=[CURSOR], summary="What moderators told the user")
    def get(self, request: Request) -> Response:
        """What moderators told the asking user, in the order it came."""
        rows = list_warnings(user_of(request).pk, after=read_number_cursor(request), limit=PAGE_SIZE + 1)
        return page_response(rows, size=PAGE_SIZE, key=lambda row: row.pk, build=build_warning)


def build_report(report: Report) -> dict[str, Any]:
    """A report as its reporter sees it: not by whom nor how it was decided."""
    return {
        "report_id": report.pk,
        "user_id": report.reported_user_id if not report.message_id else None,
        "message_id": report.message_id or None,
        "reason": report.reason,
        "state": report.state,
        "created_at": to_milliseconds(report.created_at),
        "closed_at": to_milliseconds(report.closed_at) if report.closed_at else None,
    }


def build_warning(warning: WarningNote) -> dict[str, Any]:
    """A warning as the warned one sees it: not who reported."""
    return {"note": warning.note, "created_at": to_milliseconds(warning.created_at)}


def _read_subject(body: dict[str, Any]) -> tuple[str, str]:
    """(user id, message id), one of which is empty. Raises InvalidInputError."""
    user_id, message_id = body.get("user_id", ""), body.get("message_id", "")
    if bool(user_id) == bool(message_id):
        raise InvalidInputError({"body": ["Give exactly one of user_id and message_id."]})
    if user_id and not is_user_id(user_id):
        raise InvalidInputError({"user_id": ["Give the id of a user."]})
    if message_id and not is_message_id(message_id):
        raise InvalidInputError({"message_id": ["Give the id of a message."]})
    return user_id, message_id
