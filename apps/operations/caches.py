"""Whether the Valkey or Redis servers that the settings name can do what is asked of them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from apps.valkey.pools import ValkeyError, sync_client
from apps.valkey.suitability import UnsuitableServer, check_is_one_server, check_keeps_inboxes
from apps.valkey.sync_keyspace import sync_keyspace

# Neither channels-redis nor Celery speaks cluster, and the control stream is one key that everybody reads.
SINGLE_SERVERS = ("REDIS_URL", "CHANNEL_LAYER_URL", "CELERY_BROKER_URL")


class UnsuitableCache(Exception):
    """A server that answers and cannot serve; the text is one line for the person who starts the site."""


def check_caches() -> None:
    """Raise UnsuitableCache where a server cannot serve. One that does not answer yet is none of our business:
    ``/readyz`` names it, and the site waits for it.
    """
    for name, url in _single_servers():
        try:
            check_is_one_server(sync_client(url))
        except UnsuitableServer as error:
            raise UnsuitableCache(f"{name} {error}") from None
        except (ValkeyError, OSError):
            continue
    try:
        for url in sync_keyspace(settings.INBOX_REDIS_URL).node_urls():
            check_keeps_inboxes(sync_client(url))
    except UnsuitableServer as error:
        raise UnsuitableCache(f"INBOX_REDIS_URL {error}") from None
    except (ValkeyError, OSError):
        return


def _single_servers() -> Iterator[tuple[str, str]]:
    """Name and URL of each that could be a cluster's node: a socket leads to one server anyway."""
    for name in SINGLE_SERVERS:
        url = getattr(settings, name)
        if urlsplit(url).scheme in ("redis", "rediss"):
            yield name, url
