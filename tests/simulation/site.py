"""Makes a Django site of this process, once: under pytest there is one already."""

import os
import tempfile

ADDRESSES = ("REDIS_URL", "INBOX_REDIS_URL", "CHANNEL_LAYER_URL", "CELERY_BROKER_URL")
CACHE_URL = "redis://cache:6379/0"
LOG_URL = "redis://log:6379/0"
SETTINGS = {
    **dict.fromkeys(ADDRESSES, CACHE_URL),
    "EVENT_LOG_URL": LOG_URL,
    "LOG_PARTITIONS": 12,
    "RATE_LIMIT_PER_MINUTE": 600,
    "MESSAGE_STORE_CLASS": "apps.messagestore.orm.OrmMessageStore",
}


def make_site() -> None:
    """Set Django up."""
    from django.apps import apps

    if apps.ready:
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    os.environ.setdefault("CHAT_DATA_DIR", tempfile.mkdtemp(prefix="chatsite-simulation-"))
    os.environ.setdefault("SECRET_KEY", "the-key-of-the-simulation-and-of-nothing-else")
    for name in ("DATABASE_URL", "MESSAGE_STORE_URL", "EVENT_LOG_URL", *ADDRESSES):
        os.environ[name] = ""
    import django

    django.setup()
