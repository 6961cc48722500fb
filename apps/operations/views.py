"""``/healthz`` and ``/readyz``, for load balancers and for whoever starts the site; ``/metrics`` for Prometheus."""

from dataclasses import asdict
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.observability.exposition import CONTENT_TYPE
from apps.operations.health import monitor
from apps.operations.site_metrics import may_scrape, scraper


@require_safe
@never_cache
async def healthz(request: HttpRequest) -> HttpResponse:
    """Answer "ok" as long as this process serves requests."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
async def readyz(request: HttpRequest) -> JsonResponse:
    """Say which part is well; 503 where one is not."""
    parts = await monitor.check_parts()
    ready = all(part.ok for part in parts.values())
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    body = {"ready": ready, "parts": {name: asdict(part) for name, part in parts.items()}}
    response = JsonResponse(body, status=status)
    # Django would log each 503 as an error of its own; here it is an answer like any other.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


@require_safe
@never_cache
async def metrics(request: HttpRequest) -> HttpResponse:
    """Show the metrics of the processes that run together here; to the outside there is no such page."""
    if not may_scrape(request):
        raise Http404
    return HttpResponse(await scraper.scrape(), content_type=CONTENT_TYPE)
