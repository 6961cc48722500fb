"""A client that takes no answer which the OpenAPI schema does not announce for the call."""

import re
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework import status
from rest_framework.response import Response
from rest_framework.test import APIClient


class DocumentedClient(APIClient):
    """Asserts of every refusal that its status and code stand at this call of the schema."""

    def request(self, **request: Any) -> Response:
        """Make the call."""
        response = super().request(**request)
        route = re.sub(r"<\w+:(\w+)>", r"{\1}", response.resolver_match.route)
        operation = schema_paths().get(f"/{route}", {}).get(request["REQUEST_METHOD"].lower())
        if operation is not None and response.status_code >= status.HTTP_400_BAD_REQUEST:
            code = response.json()["code"]
            assert code in documented_codes(operation, response.status_code), f"{code} at {operation['operationId']}"
        return response


@cache
def schema_paths() -> dict[str, Any]:
    """The paths of the schema."""
    paths: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return paths


def documented_codes(operation: dict[str, Any], status_code: int) -> set[str]:
    """The codes that the schema gives for a status of a call."""
    answer = operation["responses"].get(str(status_code), {})
    return set(answer.get("content", {}).get("application/json", {}).get("examples", {}))
