"""/api/devices: where the user is logged in."""

from functools import partial

from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Device
from apps.accounts.selectors import list_devices
from apps.accounts.services import revoke_device
from apps.api.answers import DeviceAnswer, page_of
from apps.api.base import ApiView, PolledApiView, device_of, user_of
from apps.api.documentation import CURSOR, answers
from apps.api.pagination import page_response, read_cursor
from apps.api.representations import build_device

PAGE_SIZE = 100


class DevicesView(PolledApiView):
    """GET /api/devices"""

    @answers({200: page_of(DeviceAnswer)}, query=[CURSOR], summary="Where the user is logged in")
    def get(self, request: Request) -> Response:
        """The asking user's devices; ``current`` marks the one that asks."""
        rows = list_devices(user_of(request).pk, after=read_cursor(request), limit=PAGE_SIZE + 1)
        build = partial(build_device, current_id=device_of(request).pk)
        return page_response(rows, size=PAGE_SIZE, key=_device_id, build=build)


class DeviceView(ApiView):
    """DELETE /api/devices/{device_id}"""

    @answers({204: None}, summary="Log a device out")
    def delete(self, request: Request, device_id: str) -> Response:
        """Log the device out, wherever it is."""
        revoke_device(user_of(request).pk, device_id, "removed")
        return Response(status=status.HTTP_204_NO_CONTENT)


def _device_id(device: Device) -> str:
    return device.pk
