"""The Django app of the REST interface."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """REST doors; no models of its own."""

    name = "apps.api"
    label = "api"
    verbose_name = "REST interface"
