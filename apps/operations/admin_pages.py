"""Pages of the admin that show servers, not rows: live figures and dead letters."""

from collections.abc import Callable
from functools import wraps

from asgiref.sync import async_to_sync
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from apps.messagelog.base import LogUnavailable
from apps.messagelog.log import get_message_log
from apps.operations.dead_letter_list import describe_dead_letters
from apps.operations.live_figures import collect_figures

SHOWN_DEAD_LETTERS = 200

View = Callable[[HttpRequest], HttpResponse]


def admin_page(permission: str) -> Callable[[View], View]:
    """A page for staff who have a permission; others are asked to log in, or refused."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request)

        page: View = admin.site.admin_view(require_safe(guarded))
        return page

    return decorate


@admin_page("moderation.view_live_figures")
def live_figures(request: HttpRequest) -> HttpResponse:
    """Connections, rate, lag, inboxes and parts; `?part=figures` is what the page's script fetches again and again."""
    figures = async_to_sync(collect_figures)()
    if request.GET.get("part") == "figures":
        return TemplateResponse(request, "operations/figures.html", {"figures": figures})
    context = admin.site.each_context(request) | {"title": "Live figures", "figures": figures}
    return TemplateResponse(request, "operations/live_figures.html", context)


@admin_page("moderation.view_dead_letters")
def dead_letters(request: HttpRequest) -> HttpResponse:
    """The newest records that could not be processed, without their content."""
    try:
        lines = describe_dead_letters(get_message_log().list_dead_letters(SHOWN_DEAD_LETTERS))
    except LogUnavailable:
        lines = None
    context = admin.site.each_context(request) | {"title": "Dead letters", "lines": lines, "most": SHOWN_DEAD_LETTERS}
    return TemplateResponse(request, "operations/dead_letters.html", context)
