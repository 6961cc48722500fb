"""``manage.py purge_expired``: delete what is past its time, all of it, now."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from apps.messagestore.base import StoreUnavailable
from apps.messagestore.store import get_message_store

BATCH = 1_000


class Command(BaseCommand):
    """Deletes rows of the Message DB past their time in batches. The beat task does the same every minute."""

    help = "Delete from the Message DB what is past its time. A task does so every minute; this does all at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--dry-run", action="store_true", help="only count what would be deleted")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        """Delete, or count."""
        now_ms = int(time.time() * 1000)
        try:
            if dry_run:
                count = get_message_store().count_expired(now_ms)
            else:
                count = self._purge(now_ms, quiet=options["verbosity"] == 0)
        except StoreUnavailable as error:
            raise CommandError(f"the Message DB does not answer ({error})") from None
        if options["json"]:
            self.stdout.write(json.dumps({"expired" if dry_run else "deleted": count}))
        else:
            self.stdout.write(f"{count:,} messages {'are past their time' if dry_run else 'deleted'}")

    def _purge(self, now_ms: int, *, quiet: bool) -> int:
        store, total = get_message_store(), 0
        while deleted := store.purge_expired(now_ms, BATCH):
            total += deleted
            if not quiet and self.stderr.isatty():
                self.stderr.write(f"\r{total:,} deleted", ending="")
        return total
