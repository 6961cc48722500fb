"""Django's view of this package."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class MessageStoreConfig(AppConfig):
    """The Message DB's tables, for the ORM adapter."""

    name = "apps.messagestore"
    label = "messagestore"

    def ready(self) -> None:
        """See to each new connection, and connect the checks."""
        from apps.messagestore import checks  # noqa: F401  (registers them)
        from apps.messagestore.orm_session import make_commits_durable

        connection_created.connect(make_commits_durable, dispatch_uid="messagestore.durable")
