"""The process's log, by the settings, and its name as a reader."""

import secrets
import socket
from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from apps.messagelog.base import MessageLog


@lru_cache(maxsize=1)
def get_message_log() -> MessageLog:
    """The adapter that ``settings.MESSAGE_LOG_CLASS`` names."""
    log: MessageLog = import_string(settings.MESSAGE_LOG_CLASS)()
    return log


def new_reader_id() -> str:
    """A name for one reading process, which nobody else ever has: its host, for operators, and a random part."""
    return f"{socket.gethostname()}-{secrets.token_hex(6)}"
