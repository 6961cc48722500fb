"""Reading a body: one JSON object of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.parsers import BaseParser

from apps.api.errors import BodyTooLong, InvalidJson

MAX_BODY_BYTES = 64 * 1024


class JsonObjectParser(BaseParser):
    """Takes strict JSON (no NaN, no lone surrogates) whose outermost value is an object."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The object. Raises BodyTooLong and InvalidJson."""
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLong(f"A body has at most {MAX_BODY_BYTES} bytes.")
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidJson(f"The body is not valid JSON: {error}.") from None
        if not isinstance(value, dict):
            raise InvalidJson("The body must be a JSON object.")
        return value
