"""``manage.py disconnect``: close a user's sockets."""

from argparse import ArgumentParser
from typing import Any

from apps.connections.control import publish_user_disconnected
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Closes every socket of a user, on every gateway."""

    help = "Close all sockets of a user with code 4403. The devices stay logged in; see `suspend` to keep a user out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", metavar="USER", help="username or usr- id")

    def handle(self, *, user: str, **options: Any) -> None:
        """Tell the gateways."""
        found = find_named_user(user)
        publish_user_disconnected(found.pk)
        self.stdout.write(f"the sockets of {found.username} are being closed")
