"""``manage.py disconnect``: close a user's sockets."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from apps.moderation.audit import Operator
from apps.moderation.services import disconnect
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand
from apps.valkey.pools import ValkeyError


class Command(OperatorCommand):
    """Closes every socket of a user, on every gateway."""

    help = "Close all sockets of a user with code 4403. The devices stay logged in; see `suspend` to keep a user out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", metavar="USER", help="username or usr- id")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, user: str, **options: Any) -> None:
        """Tell the gateways."""
        found = find_named_user(user)
        try:
            disconnect(Operator(), found.pk)
        except ValkeyError as error:
            raise CommandError(
                f"no gateway was told, every socket stays: the cache does not answer ({error})"
            ) from None
        if options["json"]:
            self.stdout.write(json.dumps({"user_id": found.pk, "username": found.username, "disconnected": True}))
        else:
            self.stdout.write(f"the sockets of {found.username} are being closed")
