"""Who asks: by `Authorization: Token`, or by the session cookie. ``request.auth`` is the device."""

from django.conf import settings
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts.credentials import hash_secret
from apps.accounts.errors import AccountSuspendedError
from apps.accounts.models import Device, User
from apps.accounts.selectors import find_device

_SCHEME = "token"


class TokenAuthentication(BaseAuthentication):
    """A device's token in the header; a wrong one is refused even where a session would do."""

    def authenticate(self, request: Request) -> tuple[User, Device] | None:
        """The user and device, None without such a header. Raises AuthenticationFailed and AccountSuspendedError."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != _SCHEME:
            return None
        device = find_device(hash_secret(token.strip()))
        if device is None or device.kind != Device.Kind.TOKEN:
            raise AuthenticationFailed("This token is not valid.")
        return _admit(device)

    def authenticate_header(self, request: Request) -> str:
        """What makes a refusal a 401."""
        return "Token"


class SessionDeviceAuthentication(SessionAuthentication):
    """The device of a browser session. Django must take the session too, and every change needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Device] | None:
        """The user and device, None without a session of one. Raises PermissionDenied and AccountSuspendedError."""
        session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        device = find_device(hash_secret(session_key)) if session_key else None
        if device is None or device.kind != Device.Kind.SESSION:
            return None
        admitted = _admit(device)
        # Django's own look: the session has not expired, and was made with the present password.
        if request._request.user.pk != device.user_id:
            return None
        self.enforce_csrf(request)
        return admitted


def _admit(device: Device) -> tuple[User, Device]:
    if not device.user.is_active:
        raise AccountSuspendedError(device.user.suspension_reason)
    return device.user, device
