"""Keeps the Message DB's tables in their own database."""

from typing import Any

from django.conf import settings
from django.db.models import Model

ALIAS = "messages"


class MessageStoreRouter:
    """Django's database router for the ``messagestore`` app: alias ``messages`` for it, ``default`` for all else."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Reads of this app go to its own database."""
        return ALIAS if model._meta.app_label == "messagestore" else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """So do writes."""
        return self.db_for_read(model, **hints)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        """Tables of this app exist in ``messages`` only, and no others do.

        Where both aliases name one database, the migrations of ``default`` make all tables: there Django remembers once
        for both what has been applied.
        """
        if _names_the_same_database():
            return None
        return (db == ALIAS) == (app_label == "messagestore")


def _names_the_same_database() -> bool:
    default, messages = settings.DATABASES["default"], settings.DATABASES[ALIAS]
    return all(default.get(name) == messages.get(name) for name in ("ENGINE", "NAME", "HOST", "PORT"))
