"""The OpenAPI schema: what each door takes and answers, with every refusal, derived from the doors themselves.

A view names its answers with `answers`; what is the same for all (who may ask, broken bodies, unknown ids) follows
from its authentication, method and path.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.api.answers import ErrorAnswer
from apps.api.base import PolledApiView
from apps.api.examples import EXAMPLES

View = TypeVar("View", bound=Callable[..., Any])

WITH_BODY = ("POST", "PUT", "PATCH")
REFUSALS = {
    400: ("invalid", "The body or the query is wrong; `fields` says where."),
    401: ("not_authenticated", "There is no credential, or it is not valid (any more)."),
    403: ("suspended", "The account is suspended, the address is banned, or this may not be done."),
    404: ("not_found", "There is no such thing, or it is somebody else's."),
    406: ("not_acceptable", "Only JSON is answered."),
    409: ("too_many_contacts", "There are as many as anybody may have."),
    411: ("length_required", "The body came in chunks: send it with its Content-Length."),
    413: ("content_too_long", "The body is longer than 64 KiB."),
    415: ("unsupported_media_type", "The body is not `application/json`."),
    429: ("throttled", "Too often; `Retry-After` says when to come back."),
    503: ("unavailable", "A server behind this one does not answer; `Retry-After` says when to come back."),
}
CURSOR = OpenApiParameter("cursor", str, description="`next` of the page before.")


def answers(
    success: dict[int, Any],
    *,
    body: type[serializers.Serializer[Any]] | None = None,
    refusals: Sequence[int] = (),
    query: Sequence[OpenApiParameter] = (),
    summary: str,
) -> Callable[[View], View]:
    """What a method of a view takes and answers; ``refusals`` beside those that every such method has."""
    decorate: Callable[[View], View] = extend_schema(
        summary=summary,
        request=body,
        responses={status: answer or OpenApiResponse() for status, answer in success.items()},
        parameters=list(query),
        extensions={"x-refusals": list(refusals)},
    )
    return decorate


class ApiSchema(AutoSchema):
    """Adds the refusals, and one group for each part of the address."""

    def get_tags(self) -> list[str]:
        """The first part of the path behind /api/."""
        return [self.path.removeprefix("/api/").split("/")[0].replace("users", "user")]

    def get_operation(self, *arguments: Any, **options: Any) -> dict[str, Any] | None:
        """The operation, with every refusal that it may answer."""
        operation: dict[str, Any] | None = super().get_operation(*arguments, **options)
        if operation is not None:
            _add_examples(operation)
            if self.method == "GET" and isinstance(self.view, PolledApiView):
                _add_condition(operation)
            for status in self._refusals(operation):
                operation["responses"][str(status)] = self._refusal(status)
        return operation

    def _refusals(self, operation: dict[str, Any]) -> list[int]:
        found = {403, 406, 503, *operation.pop("x-refusals", ())}
        if self.view.permission_classes and self.get_auth():
            found |= {401, 429}
        if self.method in WITH_BODY:
            found |= {411, 413, 415} | ({400} if "requestBody" in operation else set())
        if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
            found.add(400)
        if "{" in self.path:
            found.add(404)
        return sorted(found - {int(status) for status in operation["responses"]})

    def _refusal(self, status: int) -> dict[str, Any]:
        code, text = REFUSALS[status]
        schema = self.resolve_serializer(ErrorAnswer, "response").ref
        example = {"code": code, "message": text}
        return {"description": text, "content": {"application/json": {"schema": schema, "example": example}}}


def _add_examples(operation: dict[str, Any]) -> None:
    for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
        for content in holder.get("content", {}).values():
            name = content["schema"].get("$ref", "").rpartition("/")[2].removeprefix("Patched")
            if name in EXAMPLES:
                content["example"] = EXAMPLES[name]


def _add_condition(operation: dict[str, Any]) -> None:
    text = "The `ETag` of an answer that the app still has."
    condition = {"in": "header", "name": "If-None-Match", "schema": {"type": "string"}, "description": text}
    operation.setdefault("parameters", []).append(condition)
    etag = {"schema": {"type": "string"}, "description": "For `If-None-Match`, when the same is asked for again."}
    operation["responses"]["200"]["headers"] = {"ETag": etag}
    operation["responses"]["304"] = {"description": "The answer is still the one with this `ETag`."}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped library
    """``Authorization: Token``"""

    target_class = "apps.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """As OpenAPI says it."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token ` and the token of `POST /api/auth/login`",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped library
    """The browser's cookie."""

    target_class = "apps.api.authentication.SessionDeviceAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """As OpenAPI says it."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class NumberChoiceSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # untyped library
    """One of a few integers."""

    target_class = "apps.api.fields.NumberChoiceField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """As OpenAPI says it."""
        return {"type": "integer", "enum": list(self.target.choices)}


def add_protocol(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Put the frames of the WebSocket beside the REST calls: they are two halves of one contract."""
    protocol = Path(settings.BASE_DIR) / "docs" / "protocol.md"
    result["info"]["description"] = protocol.read_text().partition("\n## REST\n")[0]
    return result
