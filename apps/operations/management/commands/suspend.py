"""``manage.py suspend``: keep a user out, or let the user in again."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management import CommandError

from apps.accounts.models import User
from apps.moderation.audit import Operator
from apps.moderation.models import REASON_MAX_LENGTH
from apps.moderation.services import lift_suspension, suspend
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand


def reason_text(text: str) -> str:
    """Parse a reason."""
    if len(text) > REASON_MAX_LENGTH:
        raise ArgumentTypeError(f"it has {len(text)} characters: a reason takes {REASON_MAX_LENGTH}")
    return text


class Command(OperatorCommand):
    """Suspends a user; nothing is deleted, and it can be undone. The audit log has it."""

    help = "Suspend a user: all sockets close, no door opens. Nothing is deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", metavar="USER", help="username or usr- id")
        parser.add_argument("--undo", action="store_true", help="let the user in again")
        parser.add_argument(
            "--reason", type=reason_text, default="", metavar="TEXT", help="the user reads it at the next login"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask; a superuser is not suspended without")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, user: str, undo: bool, reason: str, **options: Any) -> None:
        """Suspend, or undo it."""
        found = find_named_user(user)
        if undo:
            lift_suspension(Operator(), found.pk, reason)
        else:
            if found.is_superuser and not options["yes"]:
                self._ask(found, as_json=options["json"])
            suspend(Operator(), found.pk, reason)
        if options["json"]:
            self.stdout.write(json.dumps({"user_id": found.pk, "username": found.username, "suspended": not undo}))
        else:
            self.stdout.write(f"{found.username} is {'let in again' if undo else 'suspended'}")

    def _ask(self, user: User, *, as_json: bool) -> None:
        if as_json:
            raise CommandError(f"{user.username} is a superuser: --json takes --yes, for nobody can be asked")
        question = f"{user.username} is a superuser, and will not get into the admin any more. Go on?"
        self.ask(question, f"{user.username} was not suspended")
