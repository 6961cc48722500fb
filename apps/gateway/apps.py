"""Django's view of this package."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """WebSocket gateway."""

    name = "apps.gateway"
    label = "gateway"
