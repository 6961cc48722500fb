"""Django's view of this package."""

from django.apps import AppConfig


class MessageLogConfig(AppConfig):
    """The event log."""

    name = "apps.messagelog"
    label = "messagelog"
