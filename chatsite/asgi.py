"""ASGI entry point: WebSockets and long polls go to the gateway, all else to Django. Runs under uvicorn and daphne."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from apps.gateway.http_limits import BoundedHttpApplication  # noqa: E402
from apps.gateway.routing import http_urlpatterns, websocket_urlpatterns  # noqa: E402

bounded_application = BoundedHttpApplication(http_application)
application = ProtocolTypeRouter(
    {
        "http": URLRouter(http_urlpatterns(bounded_application)),
        "websocket": URLRouter(websocket_urlpatterns),
    }
)
