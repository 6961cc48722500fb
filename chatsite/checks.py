"""System checks of the site as a whole."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 (Django's own name)

from chatsite.sqlite import SAFE_VERSION


@register(Tags.database)
def check_sqlite_version(**_: Any) -> Sequence[CheckMessage]:
    """chatsite.W001: a database is SQLite, and the library can corrupt it."""
    if not any(database["ENGINE"].endswith("sqlite3") for database in settings.DATABASES.values()):
        return []
    import sqlite3  # here, because chatsite.sqlite may have put another library in its place

    if sqlite3.sqlite_version_info >= SAFE_VERSION:
        return []
    return [
        Warning(
            f"SQLite {sqlite3.sqlite_version} can corrupt a database in WAL mode.",
            hint=f"Use SQLite {'.'.join(map(str, SAFE_VERSION))} or newer (pip install pysqlite3), or PostgreSQL.",
            id="chatsite.W001",
        )
    ]
