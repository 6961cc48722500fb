"""Django's view of this package."""

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    """Delivery."""

    name = "apps.delivery"
    label = "delivery"
