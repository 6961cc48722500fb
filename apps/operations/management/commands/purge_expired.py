"""``manage.py purge_expired``: delete what is past its time, all of it, now."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from apps.messagestore.store import get_message_store
from apps.operations.operator_command import OperatorCommand
from apps.operations.progress import progress_bar

BATCH = 1_000


class Command(OperatorCommand):
    """Deletes rows of the Message DB past their time in batches. The beat task does the same every minute."""

    help = "Delete from the Message DB what is past its time. A task does so every minute; this does all at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--dry-run", action="store_true", help="only count what would be deleted")
        parser.add_argument("--json", action="store_true", help="print one JSON object; takes --yes or --dry-run")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        """Count, ask, delete."""
        self.check_answerable(as_json=options["json"], answered=options["yes"] or dry_run)
        now_ms = int(time.time() * 1000)
        count = get_message_store().count_expired(now_ms)
        if not dry_run:
            if count and not options["yes"]:
                self.ask(f"{count:,} messages are past their time. Delete them for ever?", "nothing was deleted")
            count = self._purge(now_ms, count, options["verbosity"])
        if options["json"]:
            self.stdout.write(json.dumps({"expired" if dry_run else "deleted": count}))
        else:
            self.stdout.write(f"{count:,} messages {'are past their time' if dry_run else 'deleted'}")

    def _purge(self, now_ms: int, expected: int, verbosity: int) -> int:
        store, total = get_message_store(), 0
        with progress_bar("purging", expected, verbosity=verbosity) as advance:
            while deleted := store.purge_expired(now_ms, BATCH):
                total += deleted
                advance(deleted)
        return total
