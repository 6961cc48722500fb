"""``manage.py connections``: who is connected where."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from apps.connections.registry import Connection, list_connections
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Prints the registry: one line a connected device."""

    help = "List the connected devices of a user, or of everybody."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", nargs="?", metavar="USER", help="username or usr- id; default: everybody")
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")

    def handle(self, *, user: str | None, **options: Any) -> None:
        """Print the connections."""
        found = list_connections([find_named_user(user).pk] if user else None)
        for connection in found:
            self.stdout.write(json.dumps(asdict(connection)) if options["json"] else _to_text(connection))
        if not options["json"]:
            self.stdout.write(f"{len(found)} connected")


def _to_text(connection: Connection) -> str:
    since = datetime.fromtimestamp(connection.connected_at_ms / 1000, UTC).isoformat(" ", "seconds")
    return f"{connection.user_id}  {connection.device_id}  {connection.server_id}  since {since}"
