"""The tables of the simulated databases, as Django makes them."""

from django.apps import apps
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper

APPS = ("accounts", "groups", "moderation", "messagelog", "messagestore", "ingest", "auth", "contenttypes", "sessions")

_schemas: dict[str, str] = {}


def find_schema(alias: str) -> str:
    """The statements that make the tables of a database."""
    if alias not in _schemas:
        _schemas[alias] = make_schema(alias)
    return _schemas[alias]


def make_schema(alias: str) -> str:
    """Let Django make the tables of our models once, and read how."""
    wrapper = PlainConnection(connections.settings[alias] | {"NAME": ":memory:"}, alias)
    try:
        # Not atomic: that would be a transaction of the simulated database.
        with wrapper.schema_editor(atomic=False) as editor:
            for label in APPS:
                if (label == "messagestore") == (alias == "messages"):
                    for model in apps.get_app_config(label).get_models():
                        editor.create_model(model)
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
            return ";\n".join(row[0] for row in cursor.fetchall() if "sqlite_sequence" not in row[0]) + ";"
    finally:
        wrapper.connection.close()


class PlainConnection(DatabaseWrapper):
    """A connection that is not pytest-django's business."""

    def ensure_connection(self) -> None:
        """See DatabaseWrapper."""
        if self.connection is None:
            self.connect()
