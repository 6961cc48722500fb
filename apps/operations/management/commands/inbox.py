"""``manage.py inbox``: what waits for whom, and how to write an inbox anew."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management import CommandError
from django.db.models import QuerySet

from apps.accounts.models import Device
from apps.accounts.selectors import stale_before
from apps.delivery.rebuild import RebuildBusy, rebuild_inbox
from apps.inbox.inbox import RebuildLockLost, count_waiting
from apps.operations.inbox_contents import count_by_group
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand
from apps.operations.progress import progress_bar


class Command(OperatorCommand):
    """Shows or rebuilds inboxes."""

    help = "Show what waits for a user's devices, or write inboxes anew from the Message DB."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        show = actions.add_parser("show", help="list a user's devices and how much waits for each")
        show.add_argument("user", metavar="USER", help="username or usr- id")
        show.add_argument("--json", action="store_true", help="print one JSON object a line")
        rebuild = actions.add_parser("rebuild", help="write inboxes anew from the Message DB; nothing is lost by it")
        rebuild.add_argument("user", nargs="?", metavar="USER", help="default: everybody with a device that is in use")
        rebuild.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, action: str, user: str | None, **options: Any) -> None:
        """Do what was asked for."""
        if action == "show":
            self._show(user or "", as_json=options["json"])
        else:
            self._rebuild(user, as_json=options["json"], verbosity=options["verbosity"])

    def _show(self, user: str, *, as_json: bool) -> None:
        for device in Device.objects.filter(user=find_named_user(user)).order_by("created_at"):
            messages, receipts = count_waiting(device.user_id, device.pk)
            groups = count_by_group(device.user_id, device.pk)
            line = {"device_id": device.pk, "name": device.name, "messages": messages, "receipts": receipts}
            line["last_seen_at"] = device.last_seen_at.isoformat(" ", "seconds")
            if as_json:
                self.stdout.write(json.dumps(line | {"groups": groups}))
                continue
            self.stdout.write("  ".join(f"{key} {line[key]}" for key in line))
            for group_id, count in sorted((groups or {}).items()):
                self.stdout.write(f"  {count:,} of the messages are of the group {group_id}")

    def _rebuild(self, user: str | None, *, as_json: bool, verbosity: int) -> None:
        devices = Device.objects.filter(user=find_named_user(user)) if user else _devices_in_use()
        rebuilt, entries, skipped = 0, 0, dict[str, str]()
        with progress_bar("inboxes", devices.count(), verbosity=verbosity) as advance:
            for user_id, device_id in _ids(devices):
                try:
                    written = rebuild_inbox(user_id, device_id, force=True)
                except (RebuildBusy, RebuildLockLost) as error:
                    skipped[device_id] = str(error)
                else:
                    if written >= 0:  # else it was removed meanwhile
                        rebuilt, entries = rebuilt + 1, entries + written
                advance(1)
        if as_json:
            self.stdout.write(json.dumps({"rebuilt": rebuilt, "entries": entries, "skipped": skipped}))
        else:
            self.stdout.write(f"{rebuilt:,} inboxes rebuilt, {entries:,} entries")
        if skipped:
            lines = [f"skipped {device_id}: {reason}" for device_id, reason in skipped.items()]
            raise CommandError("\n".join([*lines, f"{len(skipped):,} inboxes were skipped: run it again"]))


def _devices_in_use() -> QuerySet[Device]:
    return Device.objects.filter(last_seen_at__gte=stale_before(), user__is_active=True)


def _ids(devices: QuerySet[Device]) -> Iterator[tuple[str, str]]:
    yield from devices.order_by("pk").values_list("user_id", "pk").iterator()
