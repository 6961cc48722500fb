"""Which part is down, by what its client raised: the label of the pauses in the metrics."""

from apps.messagelog.base import LogUnavailable
from apps.messagestore.base import StoreUnavailable
from apps.valkey.pools import ValkeyError


def name_dependency(error: Exception) -> str:
    """The part as ``/readyz`` names it; what is none of our own errors came from the users' database."""
    match error:
        case LogUnavailable():
            return "event_log"
        case StoreUnavailable():
            return "message_store"
        case ValkeyError():
            return "cache"
        case _:
            return "database"
