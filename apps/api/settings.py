"""/api/user/settings"""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import HISTORY_DAYS
from apps.accounts.selectors import get_settings
from apps.accounts.services import update_settings
from apps.api.answers import SettingsAnswer
from apps.api.base import PolledApiView, device_of, read_body, user_of
from apps.api.documentation import answers
from apps.api.fields import FlagField, NumberChoiceField
from apps.api.representations import build_settings


class SettingsBody(serializers.Serializer[Any]):
    history_days = NumberChoiceField(HISTORY_DAYS, required=False)
    show_last_seen = FlagField(required=False)
    read_receipts = FlagField(required=False)


class SettingsView(PolledApiView):
    """GET and PUT /api/user/settings"""

    @answers({200: SettingsAnswer}, summary="The settings")
    def get(self, request: Request) -> Response:
        """The asking user's settings."""
        return Response(build_settings(get_settings(user_of(request).pk)))

    @answers({200: SettingsAnswer}, body=SettingsBody, summary="Change settings")
    def put(self, request: Request) -> Response:
        """Set them; what is left out stays as it is. The user's other devices are told."""
        changes = read_body(request, SettingsBody)
        row = update_settings(user_of(request).pk, device_id=device_of(request).pk, **changes)
        return Response(build_settings(row))
