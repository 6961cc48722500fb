"""``manage.py setup_log``: make the event log usable."""

from typing import Any

from django.core.management import CommandError

from apps.messagelog.generation import set_up_log
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Prepares the log; may be run at every start. `up` does it by itself."""

    help = "Prepare the event log, and refuse a server that would lose what it acknowledged. May be repeated."

    def handle(self, **options: Any) -> None:
        """Prepare it."""
        try:
            generation = set_up_log()
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"the event log is ready, generation {generation}")
