"""``manage.py suspend``: keep a user out, or let the user in again."""

from argparse import ArgumentParser
from typing import Any

from apps.accounts.services import suspend_user, unsuspend_user
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Suspends a user; nothing is deleted, and it can be undone."""

    help = "Suspend a user: all sockets close, no door opens. Nothing is deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", metavar="USER", help="username or usr- id")
        parser.add_argument("--undo", action="store_true", help="let the user in again")

    def handle(self, *, user: str, undo: bool, **options: Any) -> None:
        """Suspend, or undo it."""
        found = find_named_user(user)
        if undo:
            unsuspend_user(found.pk)
        else:
            suspend_user(found.pk)
        self.stdout.write(f"{found.username} is {'let in again' if undo else 'suspended'}")
