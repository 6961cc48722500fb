"""``manage.py replay``: let a consumer group read a part of the log again."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from apps.messagelog.base import GroupIsRead
from apps.messagelog.log import get_message_log
from apps.messagelog.replay import FORMS, NoSuchStart, Replay, plan_replay
from apps.operations.operator_command import OperatorCommand

DEFAULT_GROUP = "relay"


class Command(OperatorCommand):
    """Sets a group's positions back. What was stored already has no second effect."""

    help = (
        "Let a consumer group read a part of the log again: after its work was lost, say with a Message DB that was"
        " restored from a backup. Its readers have to be stopped meanwhile. What is stored already is not stored twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--from", dest="start", required=True, metavar="START", help=FORMS)
        parser.add_argument("--group", default=DEFAULT_GROUP, help=f"the consumer group ({DEFAULT_GROUP})")
        parser.add_argument("--dry-run", action="store_true", help="only say how many records would be read again")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--json", action="store_true", help="print one JSON object; takes --yes or --dry-run")

    def handle(self, *, start: str, group: str, dry_run: bool, **options: Any) -> None:
        """Plan it, ask, and set the positions."""
        self.check_answerable(as_json=options["json"], answered=options["yes"] or dry_run)
        log = get_message_log()
        try:
            replay = plan_replay(log, group, start, settings.LOG_RETENTION_HOURS * 3_600_000)
            if replay.positions and not dry_run:
                if not options["yes"]:
                    self.ask(f"{_describe(replay)} will be read again by {group}. Go on?", "nothing was changed")
                log.rewind(group, replay.positions)
        except NoSuchStart as error:
            raise CommandError(str(error)) from None
        except GroupIsRead as error:
            raise CommandError(f"{error}: stop it first, and start it again after this") from None
        self._report(replay, group, dry_run=dry_run, as_json=options["json"])

    def _report(self, replay: Replay, group: str, *, dry_run: bool, as_json: bool) -> None:
        if as_json:
            report = {"records": replay.records, "positions": replay.positions, "done": not dry_run}
            self.stdout.write(json.dumps(report))
        else:
            verb = "would be" if dry_run else "will be"
            self.stdout.write(f"{_describe(replay)} {verb} read again by {group}")


def _describe(replay: Replay) -> str:
    return f"{replay.records:,} records of {len(replay.positions)} partitions"
