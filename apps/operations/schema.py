"""Whether a database has the tables that this version needs."""

from django.db import connections
from django.db.migrations.executor import MigrationExecutor


def list_missing_migrations(alias: str) -> list[str]:
    """The migrations that were not applied to a database yet. Raises database errors."""
    executor = MigrationExecutor(connections[alias])
    return [str(migration) for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
