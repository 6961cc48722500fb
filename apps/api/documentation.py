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
from rest_framework.permissions import SAFE_METHODS

from apps.api.answers import ErrorAnswer
from apps.api.base import PolledApiView
from apps.api.examples import EXAMPLES
from apps.api.refusals import REFUSALS

View = TypeVar("View", bound=Callable[..., Any])

WITH_BODY = ("POST", "PUT", "PATCH")
AT_EVERY_CALL = {"bad_request", "address_banned", "not_acceptable", "internal", "unavailable", "overloaded"}
CURSOR = OpenApiParameter("cursor", str, description="`next` of the page before.")


def answers(
    success: dict[int, Any],
    *,
    body: type[serializers.Serializer[Any]] | None = None,
    refusals: Sequence[str] = (),
    query: Sequence[OpenApiParameter] = (),
    summary: str,
    name: str | None = None,
) -> Callable[[View], View]:
    """What a method of a view takes and answers; ``refusals`` are codes beside those that every such method has,
    ``name`` is the operation's where the one that follows from the address is another's too.
    """
    decorate: Callable[[View], View] = extend_schema(
        operation_id=name,
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
            codes = self._codes(operation)
            for status in dict.fromkeys(REFUSALS[code].status for code in codes):
                same_status = [code for code in codes if REFUSALS[code].status == status]
                operation["responses"][str(status)] = self._refusal(same_status)
        return operation

    def _codes(self, operation: dict[str, Any]) -> list[str]:
        """The codes of all refusals, in the order of their statuses."""
        found = {*AT_EVERY_CALL, *operation.pop("x-refusals", ())}
        if any(self.get_auth()):  # a door for anybody has one empty way in
            found |= {"not_authenticated", "suspended", "throttled"}
            if self.method not in SAFE_METHODS:
                found.add("forbidden")
        if self.method in WITH_BODY:
            found |= {"timeout", "length_required", "content_too_long"}
        if "requestBody" in operation:
            found |= {"invalid", "invalid_json", "unsupported_media_type"}
        if any(parameter["in"] == "query" for parameter in operation.get("parameters", ())):
            found.add("invalid")
        if "{" in self.path:
            found.add("not_found")
        return [code for code in REFUSALS if code in found]

    def _refusal(self, codes: Sequence[str]) -> dict[str, Any]:
        """The answer of one status: an example of each code, by its name."""
        content = {
            "schema": self.resolve_serializer(ErrorAnswer, "response").ref,
            "examples": {code: {"summary": REFUSALS[code].text, "value": _refusal_example(code)} for code in codes},
        }
        description = " ".join(f"`{code}`: {REFUSALS[code].text}" for code in codes)
        return {"description": description, "content": {"application/json": content}}


def _refusal_example(code: str) -> dict[str, Any]:
    example: dict[str, Any] = {"code": code, "message": REFUSALS[code].text}
    return example | ({"fields": {"name_of_the_field": ["Why it cannot be taken."]}} if code == "invalid" else {})


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
    """Put the frames of the WebSocket, and what holds for all REST calls, beside these: together they are the contract.

    The table of calls is left out, for they stand here.
    """
    protocol = Path(settings.BASE_DIR) / "docs" / "protocol.md"
    frames, heading, rest = protocol.read_text().partition("\n## REST\n")
    prose = "".join(line for line in rest.splitlines(keepends=True) if not line.startswith("|"))
    result["info"]["description"] = f"{frames}{heading}{prose}".strip()
    return result
