"""What moderation does to requests: banned addresses are refused, and the admin's pages say what they may load."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.accounts.attempts import client_address
from apps.moderation.address_bans import address_bans

ADMIN_PREFIX = "/admin/"
OPEN_PREFIXES = (ADMIN_PREFIX, "/static/", "/healthz", "/readyz", "/metrics")
"""For everybody: whoever banned too much must still be able to undo it, and load balancers must be answered."""

ADMIN_POLICY = "; ".join(
    (
        "default-src 'none'",
        # Alpine, with which unfold opens menus and tabs, makes functions of the text of attributes (x-data, x-show …).
        # That text comes from unfold's templates only; scripts are files of ours, none stands in a page. Alpine's build
        # without eval knows neither the arrow functions nor the globals that stand in those templates.
        "script-src 'self' 'unsafe-eval'",
        "script-src-attr 'none'",
        "style-src 'self'",
        # Alpine and unfold's templates set widths in style attributes; style elements and foreign files stay out.
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

Answer = Callable[[HttpRequest], HttpResponse]


class AddressBanMiddleware:
    """Answers 403 to banned addresses before sessions, cookies and bodies are looked at."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse, or go on."""
        if request.path.startswith(OPEN_PREFIXES):
            return self._get_response(request)
        address_bans.refresh_if_stale()
        if address_bans.covers(client_address(request)):
            return _refuse(request)
        return self._get_response(request)


class AdminPolicyMiddleware:
    """Gives the admin's pages a Content-Security-Policy of their own; a policy for the whole site leaves it alone."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the header."""
        response = self._get_response(request)
        if request.path.startswith(ADMIN_PREFIX):
            response.headers["Content-Security-Policy"] = ADMIN_POLICY
        return response


def _refuse(request: HttpRequest) -> HttpResponse:
    headers = {"Cache-Control": "private, no-store"}
    message = "This address is banned."
    if request.path.startswith("/api/"):
        body = {"code": "address_banned", "message": message}
        return JsonResponse(body, status=HTTPStatus.FORBIDDEN, headers=headers)
    return HttpResponse(message, status=HTTPStatus.FORBIDDEN, headers=headers, content_type="text/plain")
