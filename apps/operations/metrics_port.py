"""The port on which a process without pages of its own answers scrapes."""

from django.conf import settings
from django.core.management import CommandError

from apps.observability.exposition import serve_metrics


def open_metrics_port() -> None:
    """Answer scrapes on METRICS_PORT, if it says one. Raises CommandError where the port is taken."""
    try:
        serve_metrics(settings.METRICS_PORT)
    except OSError as error:
        raise CommandError(f"cannot serve metrics on METRICS_PORT {settings.METRICS_PORT}: {error}") from None
