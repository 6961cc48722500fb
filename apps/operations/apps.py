"""Django's view of this package."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Commands, health and the supervisor; it has no models."""

    name = "apps.operations"
    verbose_name = "Operations"
