"""The Django app of the spam scores."""

from django.apps import AppConfig


class SpamConfig(AppConfig):
    """A consumer of the log and a periodic task; no models of its own."""

    name = "apps.spam"
    label = "spam"
