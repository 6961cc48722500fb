"""``manage.py backup``: a copy that a site can start from."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from apps.operations.backup import CannotBackUp, back_up
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Copies what lies in the data folder, while the site runs. Restoring is `CHAT_DATA_DIR=COPY manage.py up`."""

    help = "Copy the data folder's databases, log and key into a new folder, while the site runs or not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the argument."""
        parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to; it must not exist or be empty")

    def handle(self, *, folder: Path, **options: Any) -> None:
        """Copy, and say what the copy has and what it has not."""
        try:
            elsewhere = back_up(folder.absolute(), lambda part: self.stderr.write(f"copied: {part}"))
        except CannotBackUp as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{folder} is complete")
        for part in elsewhere:
            self.stdout.write(f"not in it, for it lies elsewhere: {part}")
