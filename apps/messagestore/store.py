"""The process's Message DB, by the settings."""

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from apps.messagestore.base import MessageStore


@lru_cache(maxsize=1)
def get_message_store() -> MessageStore:
    """The adapter that ``settings.MESSAGE_STORE_CLASS`` names."""
    store: MessageStore = import_string(settings.MESSAGE_STORE_CLASS)()
    return store
