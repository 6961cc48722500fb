"""/api/chat/{group_id}: messages of a group that is too large to push to, for members who poll."""

from typing import Any

import orjson
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.answers import MessageAnswer, page_of
from apps.api.base import PolledApiView, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.history import read_number
from apps.api.pagination import page_response, read_number_cursor
from apps.delivery.polled_groups import list_page
from apps.groups.polled_messages import PageRequest
from apps.groups.selectors import get_group

PAGE_SIZE = 100
_SINCE = OpenApiParameter(
    "timestamp", int, description="Begin with messages of this time (ms); the one of just then may come again."
)
_LIMIT = OpenApiParameter("limit", int, description=f"Messages a page, from 1; {PAGE_SIZE} at most and by default.")


class ChatView(PolledApiView):
    """GET /api/chat/{group_id}"""

    @answers({200: page_of(MessageAnswer)}, query=[_SINCE, _LIMIT, CURSOR], summary="Poll a large group")
    def get(self, request: Request, group_id: str) -> Response:
        """What was written to a large group since a time, oldest first; a group that is pushed to has nothing here."""
        _, member = get_group(group_id, user_of(request).pk)
        limit = min(read_number(request, "limit", default=PAGE_SIZE, lowest=1), PAGE_SIZE)
        since_ms = read_number(request, "timestamp", default=0, lowest=0)
        cursor = read_number_cursor(request)
        # What was written before the member joined is not theirs: neither by a time nor by a cursor of another group.
        after = max(cursor, member.from_sequence)
        since_ms = 0 if cursor else since_ms
        texts = list_page(PageRequest(group_id=group_id, after=after, since_ms=since_ms, limit=limit + 1))
        messages: list[dict[str, Any]] = [orjson.loads(text) for text in texts]
        return page_response(
            messages,
            size=limit,
            key=lambda message: message["sequence"],
            build=lambda message: message,
        )
