"""``manage.py doctor``: what is wrong with this site, and what to do about it."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management import BaseCommand, CommandError

from apps.operations.diagnosis import Finding, diagnose

MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


class Command(BaseCommand):
    """Looks at every part. Exits with 1 where there is a fault."""

    help = "Look at every part of the site: what is wrong, and what to do about it. Changes nothing."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own form; they are among what is reported)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")

    def handle(self, **options: Any) -> None:
        """Look, and say."""
        faults = 0
        for finding in diagnose():
            faults += finding.level == "fault"
            self.stdout.write(json.dumps(asdict(finding)) if options["json"] else self._to_text(finding))
        if faults:
            raise CommandError(f"{faults} {'fault' if faults == 1 else 'faults'} found")

    def _to_text(self, finding: Finding) -> str:
        line = f"{MARKS[finding.level]} {finding.part:<14} {finding.text}"
        style = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "fault": self.style.ERROR}[finding.level]
        return style(line) + (f"\n  {'':<14} {finding.advice}" if finding.advice else "")
