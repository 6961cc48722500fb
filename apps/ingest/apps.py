"""Django's view of this package."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """Admission and group commit."""

    name = "apps.ingest"
    label = "ingest"
