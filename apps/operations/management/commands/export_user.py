"""``manage.py export_user``: everything that the site holds of one user, as a zip."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand
from apps.operations.personal_data import count_data, write_archive
from apps.operations.progress import progress_bar


class Command(OperatorCommand):
    """Writes the archive that a user may ask for by law; read by nobody else (mode 0600)."""

    help = "Write everything that the site holds of one user into a zip file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user", metavar="USER", help="username or usr- id")
        parser.add_argument("--out", type=Path, metavar="FILE", help="default: export-USERNAME.zip in this folder")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *, user: str, out: Path | None, dry_run: bool, **options: Any) -> None:
        """Write it, or count."""
        found = find_named_user(user)
        path = out or Path(f"export-{found.username}.zip")
        try:
            counts = count_data(found)
            if not dry_run:
                with progress_bar("messages", counts["messages"], verbosity=options["verbosity"]) as advance:
                    counts = write_archive(found, path, advance)
        except FileExistsError:
            raise CommandError(f"{path} is there already: choose another file with --out") from None
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror})") from None
        if options["json"]:
            self.stdout.write(json.dumps({"file": None if dry_run else str(path)} | counts))
        else:
            lines = [f"{count:>9,} {kind.replace('_', ' ')}" for kind, count in counts.items()]
            self.stdout.write("\n".join([*lines, "nothing was written" if dry_run else f"in {path}"]))
