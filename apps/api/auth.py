"""/api/auth/…: getting in and out."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.attempts import check_attempts, registration_limit
from apps.accounts.credentials import TICKET_TTL_SECONDS, issue_ticket
from apps.accounts.models import DEVICE_NAME_MAX_LENGTH, Device, User
from apps.accounts.services import (
    authenticate_user,
    change_password,
    log_in_device,
    log_out_session,
    register_with_device,
    revoke_device,
)
from apps.api.answers import CredentialAnswer, TicketAnswer
from apps.api.base import ApiView, PublicApiView, device_of, read_body, user_of
from apps.api.documentation import answers
from apps.api.fields import TextField

# A hash is made of all of it: more would be work for an attacker to give us.
MAX_PASSWORD_CHARACTERS = 1_024
MAX_NAME_CHARACTERS = 256
"""Only a bound; the services say how long a name may be."""


class LoginBody(serializers.Serializer[Any]):
    username = TextField(max_length=MAX_NAME_CHARACTERS)
    password = TextField(max_length=MAX_PASSWORD_CHARACTERS)
    device_name = TextField(max_length=DEVICE_NAME_MAX_LENGTH, required=False, allow_blank=True, default="")


class RegisterBody(LoginBody):
    display_name = TextField(max_length=MAX_NAME_CHARACTERS, required=False, allow_blank=True, default="")


class PasswordBody(serializers.Serializer[Any]):
    old_password = TextField(max_length=MAX_PASSWORD_CHARACTERS)
    new_password = TextField(max_length=MAX_PASSWORD_CHARACTERS)


class RegisterView(PublicApiView):
    """POST /api/auth/register"""

    @answers({201: CredentialAnswer}, body=RegisterBody, refusals=["throttled"], summary="Register")
    def post(self, request: Request) -> Response:
        """A new user with one device; its token is shown here and never again."""
        body = read_body(request, RegisterBody)
        check_attempts(registration_limit(), request._request)
        user, device, token = register_with_device(**body)
        return _credential_response(user, device, token, status.HTTP_201_CREATED)


class LoginView(PublicApiView):
    """POST /api/auth/login"""

    @answers(
        {200: CredentialAnswer},
        body=LoginBody,
        refusals=["invalid_credentials", "suspended", "too_many_devices", "throttled"],
        summary="Log in",
    )
    def post(self, request: Request) -> Response:
        """A new device of a user who knows the password."""
        body = read_body(request, LoginBody)
        user = authenticate_user(request._request, username=body["username"], password=body["password"])
        device, token = log_in_device(user, body["device_name"])
        return _credential_response(user, device, token, status.HTTP_200_OK)


class LogoutView(ApiView):
    """POST /api/auth/logout"""

    @answers({204: None}, summary="Log this device out")
    def post(self, request: Request) -> Response:
        """The asking device is removed: its credential is dead, its sockets close."""
        device = device_of(request)
        if device.kind == Device.Kind.SESSION:
            log_out_session(request._request)
        else:
            revoke_device(device.user_id, device.pk, "logged_out")
        return Response(status=status.HTTP_204_NO_CONTENT)


class TicketView(ApiView):
    """POST /api/auth/ticket"""

    @answers({200: TicketAnswer}, summary="A ticket for one WebSocket")
    def post(self, request: Request) -> Response:
        """A ticket with which the asking device opens one socket."""
        ticket = issue_ticket(device_of(request).credential_hash)
        return Response({"ticket": ticket, "expires_in": TICKET_TTL_SECONDS})


class PasswordView(ApiView):
    """POST /api/auth/password"""

    @answers({200: CredentialAnswer}, body=PasswordBody, summary="Change the password")
    def post(self, request: Request) -> Response:
        """A new password: the other devices are logged out, this one gets a new token (null for a session)."""
        body = read_body(request, PasswordBody)
        device = device_of(request)
        token = change_password(request._request, device, **body)
        return _credential_response(user_of(request), device, token, status.HTTP_200_OK)


def _credential_response(user: User, device: Device, token: str | None, status_code: int) -> Response:
    return Response({"token": token, "user_id": user.pk, "device_id": device.pk}, status=status_code)
