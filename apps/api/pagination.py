"""Lists: {"results": […], "next": cursor or null}; ``?cursor=`` goes on after the last row seen.

A cursor is the sort key of that row, so that rows that come or go meanwhile move nothing.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.errors import InvalidInputError

Row = TypeVar("Row")


def read_cursor(request: Request) -> str:
    """The sort key after which to go on, "" for the beginning. Raises InvalidInputError."""
    cursor = request.query_params.get("cursor", "")
    try:
        key = b64decode(cursor, altchars=b"-_", validate=True).decode()
    except ValueError:  # Both decoders raise kinds of it.
        raise _invalid_cursor() from None
    if "\0" in key:
        raise _invalid_cursor()
    return key


def read_number_cursor(request: Request) -> int:
    """The row number after which to go on, 0 for the beginning. Raises InvalidInputError."""
    return read_key_number(read_cursor(request) or "0")


def read_key_number(text: str) -> int:
    """A number that stands in a cursor's sort key. Raises InvalidInputError."""
    number = to_number(text)
    if number is None:
        raise _invalid_cursor()
    return number


def to_number(text: str) -> int | None:
    """The number that a query spells in decimal digits, else None; eighteen digits fit a database's integer."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def page_response(
    rows: Sequence[Row], *, size: int, key: Callable[[Row], object], build: Callable[[Row], dict[str, Any]]
) -> Response:
    """One page of rows that were asked for with a limit of ``size + 1``: the one too many tells that more follow."""
    page = rows[:size]
    next_cursor = urlsafe_b64encode(str(key(page[-1])).encode()).decode() if len(rows) > size else None
    return Response({"results": [build(row) for row in page], "next": next_cursor})


def _invalid_cursor() -> InvalidInputError:
    return InvalidInputError({"cursor": ["Take a cursor from the page before, or none."]})
