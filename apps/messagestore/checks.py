"""System checks of the Message DB's server."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 (Django's own name)
from django.db import connections

from apps.messagestore.router import ALIAS


@register(Tags.database)
def check_server_keeps_commits(*, databases: Sequence[str] | None = None, **_: Any) -> Sequence[CheckMessage]:
    """messagestore.W001: PostgreSQL was told not to wait for its disk at all, which no session can overrule."""
    if ALIAS not in (databases or ()) or connections[ALIAS].vendor != "postgresql":
        return []
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'")
        off = sorted(name for (name,) in cursor.fetchall())
    if not off:
        return []
    return [
        Warning(
            f"PostgreSQL runs with {' and '.join(f'{name}=off' for name in off)}: a power loss may take the database.",
            hint="Set them on, except on a server whose data may be lost.",
            id="messagestore.W001",
        )
    ]
