"""Keeps the Message DB's tables in their own database, and everything out of the read replica."""

from typing import Any

from django.conf import settings
from django.db.models import Model

ALIAS = "messages"
USERS = "default"


class MessageStoreRouter:
    """Django's database router: alias ``messages`` for the app ``messagestore``, ``default`` for all else.

    With MongoDB there is no such alias, and the app's tables exist nowhere.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Reads of this app go to its own database."""
        return ALIAS if model._meta.app_label == "messagestore" else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        """So do writes."""
        return self.db_for_read(model, **hints)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        """Tables of this app exist in ``messages`` only, all others in ``default`` only.

        Where both aliases name one database it gets all tables, whichever is migrated first: Django remembers there
        once for both what has been applied.
        """
        if _share_one_database():
            return db in (USERS, ALIAS)
        return db == (ALIAS if app_label == "messagestore" else USERS)


def _share_one_database() -> bool:
    messages = settings.DATABASES.get(ALIAS)
    if messages is None:
        return False
    # Under test the first alias gets its test name before the second: there, only "mirror" tells.
    mirrored = messages.get("TEST", {}).get("MIRROR") == USERS
    users = settings.DATABASES[USERS]
    return mirrored or all(users.get(name) == messages.get(name) for name in ("ENGINE", "NAME", "HOST", "PORT"))
