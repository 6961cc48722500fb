"""Django's view of this package."""

from django.apps import AppConfig


class WebclientConfig(AppConfig):
    """Pages of the browser app; it has no models."""

    name = "apps.webclient"
    verbose_name = "Browser app"
