"""``manage.py delete_user``: one user with everything that the site holds, everywhere."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from apps.accounts.models import User
from apps.messagestore.base import StoreUnavailable
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand
from apps.operations.personal_data import count_data, erase_person
from apps.valkey.pools import ValkeyError


class Command(OperatorCommand):
    """Deletes after a confirmation, and prints a receipt as JSON."""

    help = (
        "Delete a user with all devices, contacts and messages, sent and received, at all who still have them on the "
        "server. Prints a receipt. It cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", metavar="USER", help="username or usr- id")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--dry-run", action="store_true", help="only count what would go")
        parser.add_argument("--json", action="store_true", help="print the receipt on one line")

    def handle(self, *, user: str, yes: bool, dry_run: bool, **options: Any) -> None:
        """Count, ask, delete."""
        found = find_named_user(user)
        indent = None if options["json"] else 2
        try:
            if dry_run:
                counted = {"user_id": found.pk, "username": found.username, "would_delete": count_data(found)}
                self.stdout.write(json.dumps(counted, indent=indent))
                return
            if not yes:
                self._ask(found)
            self.stdout.write(json.dumps(erase_person(found), indent=indent))
        except (StoreUnavailable, ValkeyError) as error:
            gone = not User.objects.filter(pk=found.pk).exists()
            rest = "; the account is deleted, and Celery deletes the rest when it is back" if gone else ""
            raise CommandError(f"a server does not answer ({error}){rest}") from None

    def _ask(self, user: User) -> None:
        counts = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in count_data(user).items())
        self.stdout.write(f"{user.username} ({user.pk}): {counts}")
        try:
            answer = input("Delete all of it, for ever? Type the username: ")
        except EOFError:
            answer = ""
        if answer != user.username:
            raise CommandError("nothing was deleted")
