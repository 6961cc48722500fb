"""``manage.py addusers``: many users at once, for load tests."""

import json
import os
import secrets
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from apps.accounts.services import NewAccount, register_in_bulk
from apps.accounts.validation import check_username
from apps.operations.operator_command import OperatorCommand
from apps.operations.progress import progress_bar

LARGEST_COUNT = 1_000_000
BATCH = 5_000


def user_count(text: str) -> int:
    """Parse how many users to make."""
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_COUNT:
        raise ArgumentTypeError(f"{text!r} is not a number of users: it takes 1 to {LARGEST_COUNT}")
    return int(text)


class Command(OperatorCommand):
    """Makes users without a password, one token device each, and writes them down as JSON lines."""

    help = "Make many users, with one device each and no password; their tokens stand in the file only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--count", type=user_count, required=True)
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON lines; made with mode 0600")
        parser.add_argument("--prefix", default="load", help="start of the usernames, at most 16 characters")

    def handle(self, *, count: int, out: Path, prefix: str, **options: Any) -> None:
        """Make the users batch by batch; what has been made is in the file."""
        if len(prefix) > 16:
            raise CommandError(f"the prefix {prefix!r} is longer than 16 characters")
        # Usernames of an earlier run must not come again.
        stem = f"{prefix}-{secrets.token_hex(3)}"
        check_username(f"{stem}-{count - 1}")
        try:
            descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise CommandError(f"{out} cannot be written ({error.strerror})") from None
        with (
            os.fdopen(descriptor, "w") as file,
            progress_bar("users", count, verbosity=options["verbosity"]) as advance,
        ):
            for start in range(0, count, BATCH):
                names = [f"{stem}-{number}" for number in range(start, min(start + BATCH, count))]
                file.writelines(_to_line(account) for account in register_in_bulk(names, "addusers"))
                file.flush()
                advance(len(names))
        self.stdout.write(f"{count:,} users in {out}")


def _to_line(account: NewAccount) -> str:
    fields = ("user_id", "username", "token", "device_id")
    return json.dumps({field: getattr(account, field) for field in fields}) + "\n"
