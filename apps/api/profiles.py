"""/api/user/… and /api/users: who somebody is."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.errors import InvalidInputError
from apps.accounts.models import User
from apps.accounts.names import username_key
from apps.accounts.selectors import get_profile, search_users
from apps.accounts.services import update_profile
from apps.api.answers import MeAnswer, ProfileAnswer, page_of
from apps.api.base import ApiView, PolledApiView, device_of, read_body, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.fields import TextField
from apps.api.pagination import page_response, read_cursor
from apps.api.representations import build_profile, to_milliseconds

SEARCH_PAGE_SIZE = 20
_SEARCH = OpenApiParameter(
    "search", str, required=True, description="A username, or its first three characters or more."
)


class ProfileBody(serializers.Serializer[Any]):
    display_name = TextField(required=False)
    avatar_color = TextField(required=False)


class MeView(PolledApiView):
    """GET and PATCH /api/user/me"""

    @answers({200: MeAnswer}, summary="The asking user and device")
    def get(self, request: Request) -> Response:
        """The asking user and device."""
        return Response(self._build(request))

    @answers({200: MeAnswer}, body=ProfileBody, summary="Change the profile")
    def patch(self, request: Request) -> Response:
        """Change what is given."""
        update_profile(user_of(request), **read_body(request, ProfileBody))
        return Response(self._build(request))

    def _build(self, request: Request) -> dict[str, Any]:
        user = user_of(request)
        return build_profile(user) | {
            "device_id": device_of(request).pk,
            "date_joined": to_milliseconds(user.date_joined),
        }


class ProfileView(PolledApiView):
    """GET /api/user/{user_id}"""

    @answers({200: ProfileAnswer}, summary="Somebody's profile")
    def get(self, request: Request, user_id: str) -> Response:
        """Somebody's profile."""
        return Response(build_profile(get_profile(user_id)))


class UserSearchView(ApiView):
    """GET /api/users?search="""

    throttle_scope = "search"

    @answers({200: page_of(ProfileAnswer)}, query=[_SEARCH, CURSOR], summary="Find people")
    def get(self, request: Request) -> Response:
        """Users whose name is or begins with what is searched for."""
        query = request.query_params.get("search", "").strip()
        if not query or "\0" in query:
            raise InvalidInputError({"search": ["Give a username, or its first three characters or more."]})
        found = search_users(
            query, asking_id=user_of(request).pk, after=read_cursor(request), limit=SEARCH_PAGE_SIZE + 1
        )
        return page_response(found, size=SEARCH_PAGE_SIZE, key=_search_key, build=build_profile)


def _search_key(user: User) -> str:
    return username_key(user.username)
