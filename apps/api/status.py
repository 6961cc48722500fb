"""/api/user/{user_id}/status and /api/user/status: who is online, and when somebody was last seen."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.errors import NotFoundError
from apps.accounts.presence import list_presence
from apps.api.answers import PresenceAnswer, page_of
from apps.api.base import ApiView, PolledApiView, read_body, user_of
from apps.api.documentation import answers
from apps.api.fields import TextField
from apps.api.representations import build_presence

MOST_USERS = 200


class UsersBody(serializers.Serializer[Any]):
    user_ids = serializers.ListField(child=TextField(max_length=16), allow_empty=True, max_length=MOST_USERS)


class StatusView(PolledApiView):
    """GET /api/user/{user_id}/status"""

    throttle_scope = "status"

    @answers({200: PresenceAnswer}, summary="Whether somebody is online")
    def get(self, request: Request, user_id: str) -> Response:
        """Whether somebody is online, as far as they let it be known."""
        found = list_presence(user_of(request).pk, [user_id])
        if user_id not in found:
            raise NotFoundError("user")
        return Response(build_presence(found[user_id]))


class StatusOfManyView(ApiView):
    """POST /api/user/status"""

    throttle_scope = "status"

    @answers({200: page_of(PresenceAnswer)}, body=UsersBody, summary="Who of many is online")
    def post(self, request: Request) -> Response:
        """The same for up to 200 users, in the order asked; without those who do not exist."""
        asked = list(dict.fromkeys(read_body(request, UsersBody)["user_ids"]))
        found = list_presence(user_of(request).pk, asked)
        return Response({"results": [build_presence(found[one]) for one in asked if one in found], "next": None})
