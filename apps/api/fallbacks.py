"""Answers for requests that reach no door and for faults of ours, in the shape of all errors."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.defaults import bad_request as bad_request_page
from django.views.defaults import server_error as server_error_page
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from apps.api.base import PublicApiView

API_PREFIX = "/api/"


class UnknownPathView(PublicApiView):
    """Any path under /api/ that nothing else answers."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse, whatever the method."""
        raise NotFound("There is no such address.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400, for what is refused before a door is reached: a Host that is none of this site's."""
    if not request.path.startswith(API_PREFIX):
        return bad_request_page(request, exception)
    return _refuse(400, "bad_request", "The request is malformed, or its Host is not a name of this site.")


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500: JSON under /api/, the page elsewhere. Django has logged the fault by now."""
    if not request.path.startswith(API_PREFIX):
        return server_error_page(request)
    return _refuse(500, "internal", "Something went wrong on our side.")


def _refuse(status_code: int, code: str, message: str) -> JsonResponse:
    headers = {"Cache-Control": "private, no-store"}
    return JsonResponse({"code": code, "message": message}, status=status_code, headers=headers)
