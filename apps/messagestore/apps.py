"""Django's view of this package."""

from django.apps import AppConfig


class MessageStoreConfig(AppConfig):
    """The Message DB."""

    name = "apps.messagestore"
    label = "messagestore"
