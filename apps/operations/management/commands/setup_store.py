"""``manage.py setup_store``: make the Message DB usable."""

from typing import Any

from django.core.management import CommandError

from apps.messagestore.store import get_message_store
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Prepares the Message DB; may be run at every start. `up` does it by itself."""

    help = (
        "Make the Message DB's collections, indexes and, through mongos, shards, and refuse what is there and differs. "
        "May be repeated."
    )

    def handle(self, **options: Any) -> None:
        """Prepare it."""
        try:
            lines = get_message_store().set_up()
        except ValueError as error:
            raise CommandError(str(error)) from None
        for line in lines if options["verbosity"] else ():
            self.stdout.write(line)
