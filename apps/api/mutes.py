"""/api/groups/{group_id}/mute: whether a group may ring."""

from datetime import datetime
from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.base import ApiView, device_of, read_body, user_of
from apps.api.documentation import answers
from apps.api.fields import NumberField
from apps.api.group_answers import MuteAnswer
from apps.api.representations import build_muted_until, from_milliseconds, to_milliseconds
from apps.groups.services import mute_group, unmute_group
from apps.groups.services.mutes import FOREVER


class MuteBody(serializers.Serializer[Any]):
    until_ms = NumberField(
        required=False, min_value=1, max_value=to_milliseconds(FOREVER), help_text="Left out: for good."
    )


class MuteView(ApiView):
    """PUT and DELETE /api/groups/{group_id}/mute"""

    @answers({200: MuteAnswer}, body=MuteBody, summary="Mute a group")
    def put(self, request: Request, group_id: str) -> Response:
        """Send no notifications of the group until then. The user's other devices are told."""
        member = mute_group(
            group_id, user_of(request).pk, device_id=device_of(request).pk, until=_until(read_body(request, MuteBody))
        )
        return Response({"muted_until": build_muted_until(member)})

    @answers({204: None}, summary="Unmute a group")
    def delete(self, request: Request, group_id: str) -> Response:
        """Send notifications of it again. The user's other devices are told."""
        unmute_group(group_id, user_of(request).pk, device_id=device_of(request).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _until(body: dict[str, Any]) -> datetime:
    return from_milliseconds(body["until_ms"]) if "until_ms" in body else FOREVER
