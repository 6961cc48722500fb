"""``manage.py mark_restored``: tell the site that its databases come from a backup."""

from typing import Any

from apps.messagelog.generation import distrust_log
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Run once on restored databases, before any other process starts. Deletes nothing."""

    help = "After a restore, before anything starts: sequences go on above all that were ever given out."

    def handle(self, **options: Any) -> None:
        """Make the next `setup_log` or `up` begin a new generation."""
        distrust_log()
        self.stdout.write("the next start begins a new generation of the log: sequences go on above all former ones")
