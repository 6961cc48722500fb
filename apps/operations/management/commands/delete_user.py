"""``manage.py delete_user``: one user with everything that the site holds, everywhere."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.management import CommandError

from apps.accounts.models import AccountErasure, User
from apps.accounts.selectors import find_account_erasure
from apps.messagestore.base import StoreUnavailable
from apps.moderation.audit import Operator
from apps.operations.erasure import CANNOT_LEAVE, describe_rest, erase_person, go_on_erasing
from apps.operations.lookup import find_named_user
from apps.operations.operator_command import OperatorCommand
from apps.operations.personal_data import count_data
from apps.operations.progress import progress_bar
from apps.valkey.pools import ValkeyError


class Command(OperatorCommand):
    """Deletes after a confirmation, and prints a receipt as JSON."""

    help = (
        "Delete a user with all devices, contacts and messages, sent and received, at all who still have them on the "
        "server. The user leaves every group, and hands over those owned. Prints a receipt. It cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "user", metavar="USER", help="username or usr- id; the id also of a deleted user of whom something is left"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--dry-run", action="store_true", help="only count what would go")
        parser.add_argument("--json", action="store_true", help="print one line of JSON; takes --yes or --dry-run")

    def handle(self, *, user: str, yes: bool, dry_run: bool, **options: Any) -> None:
        """Count, ask, delete; of one who is deleted already, go on with what is left."""
        self.check_answerable(as_json=options["json"], answered=yes or dry_run)
        order = find_account_erasure(user)
        if order is not None:  # that it is to go was asked when it was deleted
            receipt = describe_rest(order) if dry_run else self._go_on(order, options["verbosity"])
        else:
            receipt = self._delete(find_named_user(user), yes, dry_run, options["verbosity"])
        self.stdout.write(json.dumps(receipt, indent=None if options["json"] else 2))

    def _go_on(self, order: AccountErasure, verbosity: int) -> dict[str, Any]:
        left = describe_rest(order)["would_delete"]["messages"]
        with progress_bar("messages", left, verbosity=verbosity) as advance, _saying_who_goes_on(order.user_id):
            return go_on_erasing(order, advance)

    def _delete(self, user: User, yes: bool, dry_run: bool, verbosity: int) -> dict[str, Any]:
        counts = count_data(user)
        if dry_run:
            return {"user_id": user.pk, "username": user.username, "would_delete": counts}
        if not yes:
            self._ask(user, counts)
        with progress_bar("messages", counts["messages"], verbosity=verbosity) as advance, _saying_who_goes_on(user.pk):
            return erase_person(Operator(), user, advance)

    def _ask(self, user: User, counts: Mapping[str, int]) -> None:
        listed = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in counts.items())
        self.stdout.write(f"{user.username} ({user.pk}): {listed}")
        answer = self.read_answer("Delete all of it, for ever? Type the username: ", "nothing was deleted")
        if answer != user.username:
            raise CommandError("nothing was deleted")


@contextmanager
def _saying_who_goes_on(user_id: str) -> Iterator[None]:
    rest = f"`manage.py delete_user {user_id} --dry-run` says what is left"
    try:
        yield
    except (StoreUnavailable, ValkeyError) as error:
        if find_account_erasure(user_id) is None:
            raise
        raise CommandError(
            f"the account is deleted, and a server does not answer ({error}): Celery deletes the rest when it is"
            f" back; {rest}"
        ) from None
    except CANNOT_LEAVE as error:
        raise CommandError(
            f"the account is closed, and the user is still in groups ({error}): do the event log and a relay run?"
            f" Celery deletes the rest when they do; {rest}"
        ) from None
