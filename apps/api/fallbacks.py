"""Answers for paths that do not exist and for faults of ours, in the shape of all errors."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
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


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500: JSON under /api/, the page elsewhere. Django has logged the fault by now."""
    if not request.path.startswith(API_PREFIX):
        return server_error_page(request)
    body = {"code": "internal", "message": "Something went wrong on our side."}
    return JsonResponse(body, status=500, headers={"Cache-Control": "private, no-store"})
