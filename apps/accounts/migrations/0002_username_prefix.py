"""An index that serves the search by prefix under any collation; Django makes none for an expression."""

from typing import Any

from django.db import migrations

# Concurrently: people register and log in meanwhile.
CREATE = "CREATE INDEX CONCURRENTLY IF NOT EXISTS accounts_username_prefix ON accounts_user (lower(username) text_pattern_ops)"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS accounts_username_prefix"


def create_index(apps: Any, schema_editor: Any) -> None:
    """SQLite compares bytes: there the unique index on the same expression does."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop_index(apps: Any, schema_editor: Any) -> None:
    """Undo it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    """Index for ``GET /api/users?search=``."""

    atomic = False
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(create_index, drop_index)]
