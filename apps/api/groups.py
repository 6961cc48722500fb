"""/api/groups and /api/groups/{group_id}: groups, and what is said of them."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.answers import page_of
from apps.api.base import PolledApiView, read_body, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.fields import FlagField, NumberField, TextField
from apps.api.group_answers import GroupAnswer, OpenGroupAnswer, PendingAnswer
from apps.api.pagination import page_response, read_number_cursor
from apps.api.representations import build_group, build_open_group
from apps.groups.rules import MAX_NAMED, MAX_SLOW_MODE_SECONDS
from apps.groups.selectors import get_group, list_groups, list_members
from apps.groups.services import create_group, delete_group, update_group

PAGE_SIZE = 100
MEMBERS_SHOWN = 500


class NewGroupBody(serializers.Serializer[Any]):
    name = TextField()
    members = serializers.ListField(child=TextField(max_length=16), default=list, max_length=MAX_NAMED)
    description = TextField(required=False, allow_blank=True)
    picture = TextField(required=False, allow_blank=True, help_text="The id of a medium.")


class GroupBody(serializers.Serializer[Any]):
    name = TextField(required=False)
    description = TextField(required=False, allow_blank=True)
    picture = TextField(required=False, allow_blank=True, help_text="The id of a medium; empty takes it away.")
    only_admins_write = FlagField(required=False)
    slow_mode_seconds = NumberField(required=False, min_value=0, max_value=MAX_SLOW_MODE_SECONDS)


class GroupsView(PolledApiView):
    """GET and POST /api/groups"""

    @answers({200: page_of(GroupAnswer)}, query=[CURSOR], summary="The user's groups", name="groups_list")
    def get(self, request: Request) -> Response:
        """The groups of the asking user, in the order they became a member; without members."""
        rows = list_groups(user_of(request).pk, after=read_number_cursor(request), limit=PAGE_SIZE + 1)
        return page_response(
            rows, size=PAGE_SIZE, key=lambda row: row.pk, build=lambda row: build_group(row.group, row)
        )

    @answers(
        {201: OpenGroupAnswer, 202: PendingAnswer},
        body=NewGroupBody,
        refusals=["too_many_groups"],
        summary="Make a group",
    )
    def post(self, request: Request) -> Response:
        """A new group, which the asking user owns. 403 `forbidden` names those who have blocked them in `fields`."""
        body = read_body(request, NewGroupBody)
        user_id = user_of(request).pk
        group_id = create_group(user_id, body.pop("name"), body.pop("members"), **body)
        return Response(show_group(group_id, user_id), status=status.HTTP_201_CREATED)


class GroupView(PolledApiView):
    """GET, PATCH and DELETE /api/groups/{group_id}"""

    @answers({200: OpenGroupAnswer}, summary="A group")
    def get(self, request: Request, group_id: str) -> Response:
        """A group of the asking user's, with its first 500 members."""
        return Response(show_group(group_id, user_of(request).pk))

    @answers(
        {200: OpenGroupAnswer, 202: PendingAnswer},
        body=GroupBody,
        refusals=["not_a_member", "frozen"],
        summary="Change a group",
    )
    def patch(self, request: Request, group_id: str) -> Response:
        """Change what is given; admins and the owner may. Each thing that changes is an event of its own."""
        user_id = user_of(request).pk
        update_group(group_id, user_id, **read_body(request, GroupBody))
        return Response(show_group(group_id, user_id))

    @answers({204: None, 202: PendingAnswer}, refusals=["not_a_member"], summary="Delete a group")
    def delete(self, request: Request, group_id: str) -> Response:
        """End it for everybody; the owner may."""
        delete_group(group_id, user_of(request).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


def show_group(group_id: str, user_id: str) -> dict[str, Any]:
    """A group as the member sees it now. Raises NotFoundError."""
    group, member = get_group(group_id, user_id)
    return build_open_group(group, member, list_members(group_id, limit=MEMBERS_SHOWN))
