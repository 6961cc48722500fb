"""/api/groups/{group_id}/members: who is in a group, and as what."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.answers import page_of
from apps.api.base import ApiView, PolledApiView, read_body, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.fields import TextField
from apps.api.group_answers import MemberAnswer, OpenGroupAnswer, PendingAnswer
from apps.api.groups import show_group
from apps.api.pagination import page_response, read_number_cursor
from apps.api.representations import build_member
from apps.groups.rules import MAX_NAMED, ROLES
from apps.groups.selectors import get_group, get_member, list_members
from apps.groups.services import add_members, change_role, leave_group, remove_member

PAGE_SIZE = 500


class PeopleBody(serializers.Serializer[Any]):
    user_ids = serializers.ListField(child=TextField(max_length=16), allow_empty=False, max_length=MAX_NAMED)


class RoleBody(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=ROLES, help_text='"owner" hands the group over.')


class MembersView(PolledApiView):
    """GET and POST /api/groups/{group_id}/members"""

    @answers({200: page_of(MemberAnswer)}, query=[CURSOR], summary="A group's members")
    def get(self, request: Request, group_id: str) -> Response:
        """All members, in the order they joined."""
        get_group(group_id, user_of(request).pk)
        rows = list_members(group_id, after=read_number_cursor(request), limit=PAGE_SIZE + 1)
        return page_response(rows, size=PAGE_SIZE, key=lambda row: row.pk, build=build_member)

    @answers(
        {201: OpenGroupAnswer, 202: PendingAnswer},
        body=PeopleBody,
        refusals=["not_a_member", "frozen", "conflict", "group_full"],
        summary="Add members",
    )
    def post(self, request: Request, group_id: str) -> Response:
        """Add people; admins and the owner may. Who is in it already is passed over: 409 `conflict` where all are. 403
        `forbidden` names those who have blocked the asking user in `fields`.
        """
        user_id = user_of(request).pk
        add_members(group_id, user_id, read_body(request, PeopleBody)["user_ids"])
        return Response(show_group(group_id, user_id), status=status.HTTP_201_CREATED)


class MemberView(ApiView):
    """PATCH and DELETE /api/groups/{group_id}/members/{user_id}"""

    @answers(
        {200: MemberAnswer, 202: PendingAnswer},
        body=RoleBody,
        refusals=["not_a_member", "conflict", "owner_must_hand_over"],
        summary="Change a role",
    )
    def patch(self, request: Request, group_id: str, user_id: str) -> Response:
        """Give a member another role; the owner may. "owner" hands the group over, and the asking user is an admin."""
        change_role(group_id, user_of(request).pk, user_id, read_body(request, RoleBody)["role"])
        return Response(build_member(get_member(group_id, user_id)))

    @answers(
        {204: None, 202: PendingAnswer},
        refusals=["not_a_member", "owner_must_hand_over"],
        summary="Remove a member, or leave",
    )
    def delete(self, request: Request, group_id: str, user_id: str) -> Response:
        """Send a member of a lower role away, or go oneself; the owner has to hand over before."""
        asking_id = user_of(request).pk
        if user_id == asking_id:
            leave_group(group_id, asking_id)
        else:
            remove_member(group_id, asking_id, user_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
