"""/api/groups/{group_id}/invite and /api/invite/{token}: links into a group, for those who give and who follow them."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.answers import page_of
from apps.api.base import ApiView, PolledApiView, read_body, user_of
from apps.api.documentation import answers
from apps.api.fields import NumberField
from apps.api.group_answers import InviteAnswer, NewInviteAnswer, OpenGroupAnswer, PendingAnswer, PreviewAnswer
from apps.api.groups import show_group
from apps.api.representations import build_invite, build_preview
from apps.groups.selectors import get_invite, get_managed_group, list_invites
from apps.groups.services import create_invite, join_by_invite, revoke_invite
from apps.groups.services.invites import DEFAULT_SECONDS, LONGEST_SECONDS, SHORTEST_SECONDS

# Browsers send nothing of what is behind the "#": so the token gets into no server's log.
JOIN_ADDRESS = "/join/#{token}"


class InviteBody(serializers.Serializer[Any]):
    expires_in = NumberField(
        min_value=SHORTEST_SECONDS, max_value=LONGEST_SECONDS, default=DEFAULT_SECONDS, help_text="Seconds."
    )


class GroupInvitesView(PolledApiView):
    """GET and POST /api/groups/{group_id}/invite"""

    @answers({200: page_of(InviteAnswer)}, refusals=["forbidden"], summary="A group's invites")
    def get(self, request: Request, group_id: str) -> Response:
        """Those that somebody may still join with; for admins and the owner. There are never more than one page."""
        get_managed_group(group_id, user_of(request).pk)
        return Response({"results": [build_invite(one) for one in list_invites(group_id)], "next": None})

    @answers({201: NewInviteAnswer}, body=InviteBody, refusals=["too_many_invites"], summary="Make an invite")
    def post(self, request: Request, group_id: str) -> Response:
        """A link with which whoever has it joins as a member; admins and the owner may make one."""
        invite, token = create_invite(group_id, user_of(request).pk, **read_body(request, InviteBody))
        url = request.build_absolute_uri(JOIN_ADDRESS.format(token=token))
        answer = build_invite(invite) | {"token": token, "invite_url": url}
        return Response(answer, status=status.HTTP_201_CREATED)


class GroupInviteView(ApiView):
    """DELETE /api/groups/{group_id}/invite/{number}"""

    @answers({204: None}, summary="Revoke an invite")
    def delete(self, request: Request, group_id: str, number: int) -> Response:
        """Let nobody join with it any more; admins and the owner may."""
        revoke_invite(group_id, user_of(request).pk, number)
        return Response(status=status.HTTP_204_NO_CONTENT)


class InviteView(PolledApiView):
    """GET and POST /api/invite/{token}"""

    @answers({200: PreviewAnswer}, refusals=["invite_invalid"], summary="What one is invited to")
    def get(self, request: Request, token: str) -> Response:
        """The group that the invite leads into, before one joins it."""
        return Response(build_preview(get_invite(token)))

    @answers(
        {201: OpenGroupAnswer, 202: PendingAnswer},
        refusals=["invite_invalid", "frozen", "conflict", "group_full", "too_many_groups"],
        summary="Join by an invite",
    )
    def post(self, request: Request, token: str) -> Response:
        """Become a member; 409 `conflict` for whoever is one."""
        user_id = user_of(request).pk
        return Response(show_group(join_by_invite(token, user_id), user_id), status=status.HTTP_201_CREATED)
