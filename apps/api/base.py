"""What all doors share."""

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.decorators import decorator_from_middleware, method_decorator
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from apps.accounts.models import Device, User
from apps.api.authentication import SessionDeviceAuthentication, TokenAuthentication
from apps.api.errors import LengthRequired, handle_exception
from apps.api.parsing import JsonObjectParser
from apps.api.throttles import CallThrottle


class ApiView(APIView):
    """A door for users who are logged in. JSON in, JSON out, and nothing of it may be cached."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (TokenAuthentication, SessionDeviceAuthentication)
    permission_classes: Sequence[type[BasePermission]] = (IsAuthenticated,)
    parser_classes = (JsonObjectParser,)
    renderer_classes = (JSONRenderer,)
    throttle_classes = (CallThrottle,)
    throttle_scope = "calls"
    metadata_class = None

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """Answer every refusal in the one shape."""
        return handle_exception

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body without Content-Length, then go on as always."""
        if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
            raise LengthRequired("Send the body with its Content-Length, not in chunks.")
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Keep answers out of every cache."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response


class AppCopyMiddleware(ConditionalGetMiddleware):
    """ETag and 304 (RFC 9110, 13.1.2) for answers that are `no-store`, where Django's own leaves both out.

    That word is for caches (RFC 9111, 5.2.2.5), and what is personal must be in none, a browser's neither. An app that
    holds an answer in its own hands is no cache: it may still ask whether that is the present state.
    """

    def needs_etag(self, response: HttpResponseBase) -> bool:
        """Whether this is an answer, rather than a refusal."""
        return response.status_code == status.HTTP_200_OK


@method_decorator(decorator_from_middleware(AppCopyMiddleware), name="dispatch")
class PolledApiView(ApiView):
    """A door where apps ask the same again and again: what they have already is 304, without a body."""


class PublicApiView(ApiView):
    """A door for anybody; cookies and tokens are not looked at, so that nothing can be done in somebody's name."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


def user_of(request: Request) -> User:
    """The user who asks, behind a door that lets in nobody else."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


def device_of(request: Request) -> Device:
    """The device that asks."""
    if not isinstance(request.auth, Device):
        raise NotAuthenticated
    return request.auth


def read_body(request: Request, serializer_class: type[Serializer[Any]]) -> dict[str, Any]:
    """The fields of the body, checked. Raises ValidationError and what the parser raises."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
