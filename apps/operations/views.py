"""``/healthz`` and ``/readyz``, for load balancers and for whoever starts the site."""

from dataclasses import asdict
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.operations.health import monitor


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
    return JsonResponse({"ready": ready, "parts": {name: asdict(part) for name, part in parts.items()}}, status=status)
