"""/api/message/{message_id}/delivery: how far a message that the asking user wrote has come."""

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.errors import NotFoundError
from apps.api.answers import DeliveryAnswer
from apps.api.base import PolledApiView, user_of
from apps.api.documentation import answers
from apps.delivery.group_counts import count_message
from apps.messagestore.store import get_message_store


class DeliveryView(PolledApiView):
    """GET /api/message/{message_id}/delivery"""

    @answers({200: DeliveryAnswer}, summary="Whether a message has arrived")
    def get(self, request: Request, message_id: str) -> Response:
        """How many receivers have a message of the asking user's, of how many; a withdrawn one is not found."""
        # The row outlives its content: it answers until the store forgets the id.
        standing = get_message_store().list_standings([message_id]).get(message_id)
        if standing is None or standing.sender_id != user_of(request).pk or standing.refusal:
            raise NotFoundError("message")
        if standing.group_id:
            return Response(count_message(standing))
        return Response({"delivered": int(standing.delivered), "members": 1})
