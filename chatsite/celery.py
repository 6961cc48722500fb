"""The Celery application: ``celery -A chatsite worker``."""

import os

from celery import Celery
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

# A lost task costs nothing here: a sweep finds what it would have done. But giving unacknowledged ones back while the
# broker is away crashes kombu 5.7, and leaves a worker that is alive and consumes nothing.
Channel.do_restore = False

app = Celery("chatsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
