"""Every refusal as one shape: {"code", "message", "fields"?} with the fitting status."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.accounts.errors import (
    AccountError,
    AccountSuspendedError,
    InvalidCredentialsError,
    InvalidInputError,
    LimitReachedError,
    NotFoundError,
    TooManyAttemptsError,
)
from apps.api.refusals import REFUSALS
from apps.groups.errors import ChangePending, ChangeRefused
from apps.messagelog.base import LogUnavailable
from apps.messagestore.base import StoreUnavailable
from apps.valkey.pools import ValkeyError

UNAVAILABLE_RETRY_SECONDS = 2

_STATUS_OF_ACCOUNT_ERROR: dict[type[AccountError], int] = {
    InvalidInputError: status.HTTP_400_BAD_REQUEST,
    InvalidCredentialsError: status.HTTP_401_UNAUTHORIZED,
    AccountSuspendedError: status.HTTP_403_FORBIDDEN,
    NotFoundError: status.HTTP_404_NOT_FOUND,
    LimitReachedError: status.HTTP_409_CONFLICT,
    TooManyAttemptsError: status.HTTP_429_TOO_MANY_REQUESTS,
}
# Django's and DRF's own words for what has a name of ours.
_CODE_OF_DRF = {"authentication_failed": "not_authenticated", "permission_denied": "forbidden", "error": "invalid"}


class InvalidJson(exceptions.ParseError):
    """The body is no JSON object."""

    default_code = "invalid_json"


class LengthRequired(exceptions.APIException):
    """A body of unknown length; DRF would take it for an empty one."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_code = "length_required"


class BodyTooLong(exceptions.APIException):
    """The body is longer than any call needs."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "content_too_long"


def error_response(
    status_code: int,
    code: str,
    message: str,
    *,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The one shape of an error."""
    body: dict[str, Any] = {"code": code, "message": message}
    if fields:
        body["fields"] = fields
    return Response(body, status=status_code, headers=dict(headers or {}))


def handle_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: the response to a refusal, None for a fault of ours. A change that is not in force yet
    is none, but whoever asked for it can be told nothing else.
    """
    set_rollback()
    if isinstance(error, AccountError):
        return _of_account_error(error)
    if isinstance(error, ChangePending):
        pending = {"group_id": error.group_id, "event_id": error.event_id}
        return Response(pending, status=status.HTTP_202_ACCEPTED)
    if isinstance(error, ValkeyError | StoreUnavailable | LogUnavailable):
        wait = {"Retry-After": str(UNAVAILABLE_RETRY_SECONDS)}
        return error_response(503, "unavailable", "A server behind this one does not answer; try again.", headers=wait)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    return _of_drf_error(error) if isinstance(error, exceptions.APIException) else None


def _of_account_error(error: AccountError) -> Response:
    headers = {}
    if isinstance(error, TooManyAttemptsError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    fields = error.fields if isinstance(error, InvalidInputError | ChangeRefused) else None
    if isinstance(error, ChangeRefused):
        status_code = REFUSALS[error.code].status
    else:
        status_code = _STATUS_OF_ACCOUNT_ERROR.get(type(error), status.HTTP_400_BAD_REQUEST)
    return error_response(status_code, error.code, error.message, fields=fields, headers=headers)


def _of_drf_error(error: exceptions.APIException) -> Response:
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
    if isinstance(error, exceptions.ValidationError):
        return error_response(
            error.status_code, "invalid", "Some fields cannot be taken.", fields=_fields(error.detail)
        )
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    return error_response(error.status_code, _CODE_OF_DRF.get(code, code), str(error.detail), headers=headers)


def _fields(detail: Any) -> dict[str, Any]:
    """Reasons by field; what belongs to no field stands under ``body``."""
    if not isinstance(detail, dict):
        return {"body": list(detail)}
    return {"body" if name == "non_field_errors" else name: _reasons(found) for name, found in detail.items()}


def _reasons(detail: Any) -> list[str]:
    """Of a list in which single items are at fault, DRF gives reasons by index."""
    if isinstance(detail, Mapping):
        return [f"Item {index}: {reason}" for index, found in detail.items() for reason in _reasons(found)]
    return [str(reason) for reason in detail]
