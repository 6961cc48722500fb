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
from apps.messagestore.base import StoreUnavailable
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand
from apps.valkey.pools import ValkeyError

PROGRESS_STEP = 100


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

    def handle(self, *, action: str, user: str | None, **options: Any) -> None:
        """Do what was asked for."""
        try:
            if action == "show":
                self._show(user or "", as_json=options["json"])
            else:
                self._rebuild(user, quiet=options["verbosity"] == 0)
        except (ValkeyError, StoreUnavailable) as error:
            raise CommandError(f"a server does not answer ({error})") from None

    def _show(self, user: str, *, as_json: bool) -> None:
        for device in Device.objects.filter(user=find_named_user(user)).order_by("created_at"):
            messages, receipts = count_waiting(device.user_id, device.pk)
            line = {"device_id": device.pk, "name": device.name, "messages": messages, "receipts": receipts}
            line["last_seen_at"] = device.last_seen_at.isoformat(" ", "seconds")
            self.stdout.write(json.dumps(line) if as_json else "  ".join(f"{key} {line[key]}" for key in line))

    def _rebuild(self, user: str | None, *, quiet: bool) -> None:
        devices = Device.objects.filter(user=find_named_user(user)) if user else _devices_in_use()
        total, entries = devices.count(), 0
        for number, (user_id, device_id) in enumerate(_ids(devices), start=1):
            entries += self._rebuild_one(user_id, device_id)
            if not quiet and (number % PROGRESS_STEP == 0):
                self.stderr.write(f"\r{number:,} of {total:,} devices", ending="")
        self.stdout.write(f"{total:,} inboxes rebuilt, {entries:,} entries")

    def _rebuild_one(self, user_id: str, device_id: str) -> int:
        try:
            return rebuild_inbox(user_id, device_id, force=True)
        except (RebuildBusy, RebuildLockLost) as error:
            self.stderr.write(f"skipped {device_id}: {error}")
            return 0


def _devices_in_use() -> QuerySet[Device]:
    return Device.objects.filter(last_seen_at__gte=stale_before(), user__is_active=True)


def _ids(devices: QuerySet[Device]) -> Iterator[tuple[str, str]]:
    yield from devices.order_by("pk").values_list("user_id", "pk").iterator()
