"""``manage.py loadtest``: simulated people over real sockets, against a site that runs."""

import json
import secrets
import ssl
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import CommandError

from apps.accounts.services import delete_user, register_in_bulk
from apps.loadtest.accounts import LoadAccount, MalformedUsers, read_users
from apps.loadtest.connection import Address
from apps.loadtest.figures import Load, LoadFigures, format_table
from apps.loadtest.groups import GroupsUnavailable, open_groups
from apps.loadtest.live_line import LiveLine
from apps.loadtest.load import Observer, run_load, run_on_uvloop
from apps.loadtest.pair import SMALLEST_SIZE
from apps.operations.operator_command import OperatorCommand
from apps.protocol.limits import MAX_CONTENT_CHARACTERS

MOST_PAIRS = 10_000
MOST_GROUPS = 1_000
LARGEST_GROUP = 10_000
HIGHEST_RATE = 1e6
DAY = 86_400
HINTS = {
    "rate_limited": "RATE_LIMIT_PER_MINUTE of the site is for each sender: take more pairs or a lower --rate, "
    "or start the site with RATE_LIMIT_PER_MINUTE=0.",
    "overloaded": "STEADY_MESSAGES_PER_SECOND of the site holds the load back, as it should.",
}


class Command(OperatorCommand):
    """Runs one load and prints what users of the site would have seen."""

    help = (
        "Let simulated people write to each other, and to groups, over real sockets and measure what they see: "
        "messages/s and the time until ✓, arrival and ✓✓, and until the last member has it. The site has to run. Exit "
        "code 1 where messages are missing, refused or out of order."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        here = f"http://{settings.CHAT_HOST}:{settings.CHAT_PORT}"
        parser.add_argument("--url", type=site_address, default=here, help=f"the site ({here})")
        parser.add_argument(
            "--users",
            type=Path,
            metavar="FILE",
            help="write as these, from `addusers`; otherwise users are made, and deleted afterwards",
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        load = parser.add_argument_group("the load")
        pairs, rate, percent = number(int, 0, MOST_PAIRS), number(float, 0, HIGHEST_RATE), number(int, 0, 100)
        load.add_argument("--pairs", type=pairs, default=20, help="senders, with one receiver each (20)")
        load.add_argument(
            "--groups", type=number(int, 0, MOST_GROUPS), default=0, help="groups beside them; one member writes (0)"
        )
        load.add_argument(
            "--group-size",
            type=number(int, 2, LARGEST_GROUP),
            default=20,
            metavar="MEMBERS",
            help="of each group, all online (20)",
        )
        load.add_argument(
            "--rate",
            type=rate,
            default=10.0,
            help="messages/s of all senders together (10); 0: as fast as it goes, with --window messages of each pair "
            "on their way, and one in each group",
        )
        load.add_argument(
            "--window",
            type=number(int, 1, 1000),
            default=1,
            help="with --rate 0: each pair's messages on their way (1)",
        )
        load.add_argument(
            "--offline",
            type=percent,
            default=0,
            metavar="PERCENT",
            help="receivers who are away meanwhile and come back at the end (0)",
        )
        load.add_argument("--seconds", type=number(float, 1, DAY), default=20.0, help="how long is measured (20)")
        load.add_argument("--warmup", type=number(float, 0, DAY), default=2.0, help="seconds before that (2)")
        size = number(int, SMALLEST_SIZE, MAX_CONTENT_CHARACTERS)
        load.add_argument("--size", type=size, default=100, help="characters of a message (100)")

    def handle(self, *, url: Address, pairs: int, users: Path | None, **options: Any) -> None:
        """Run the load. The accounts that were made for it go with it."""
        load = Load(
            pairs=pairs,
            window=options["window"],
            rate=options["rate"],
            seconds=options["seconds"],
            warmup_seconds=options["warmup"],
            size=options["size"],
            away=round(pairs * options["offline"] / 100),
            groups=options["groups"],
            group_size=options["group_size"] if options["groups"] else 0,
        )
        if not load.accounts:
            raise CommandError("nobody would write: give --pairs or --groups")
        with self._accounts(users, load) as accounts:
            figures = self._run(url, accounts, load)
        self.stdout.write(json.dumps(asdict(figures)) if options["json"] else format_table(figures))
        for code in figures.refusals:
            if code in HINTS:
                self.stderr.write(HINTS[code])
        if not figures.is_clean:
            raise CommandError("messages were refused, are missing or came out of order")

    def _run(self, address: Address, accounts: Sequence[LoadAccount], load: Load) -> LoadFigures:
        observer = LiveLine(self.stderr, load) if self.stderr.isatty() else Observer()
        try:
            with open_groups(address, accounts, load, self.stderr.write) as group_ids:
                return run_on_uvloop(run_load(address, accounts, load, observer, group_ids))
        except GroupsUnavailable as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(
                f"{address.host}:{address.port}: {error}. Is the site running there? One address may open "
                "CONNECTIONS_PER_MINUTE_PER_ADDRESS connections a minute (0 = off)."
            ) from None

    @contextmanager
    def _accounts(self, file: Path | None, load: Load) -> Iterator[Sequence[LoadAccount]]:
        if file is not None:
            yield _read_accounts(file, load)
            return
        stem = f"load-{secrets.token_hex(3)}"
        made = register_in_bulk([f"{stem}-{each}" for each in range(load.accounts)], "loadtest")
        try:
            yield [LoadAccount(user_id=one.user_id, token=one.token) for one in made]
        finally:
            for one in made:
                delete_user(one.user_id)


def _read_accounts(file: Path, load: Load) -> list[LoadAccount]:
    try:
        accounts = read_users(file)
    except OSError as error:
        raise CommandError(f"{file} cannot be read ({error.strerror})") from None
    except MalformedUsers as error:
        raise CommandError(f"{file}: {error}") from None
    if len(accounts) < load.accounts:
        raise CommandError(
            f"{file} has {len(accounts)} users; two for each pair and the members of groups are {load.accounts}"
        )
    return accounts


def site_address(text: str) -> Address:
    """Parse where the site is. Raises ArgumentTypeError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ArgumentTypeError(f"{text!r} is not the address of a site: it takes http://host:port or https://host")
    is_secure = parts.scheme == "https"
    tls = ssl.create_default_context() if is_secure else None
    return Address(host=parts.hostname, port=port or (443 if is_secure else 80), tls=tls)


def number(kind: Callable[[str], Any], lowest: float, highest: float) -> Callable[[str], Any]:
    """A parser of numbers within bounds."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not lowest <= value <= highest:
            what = "whole number" if kind is int else "number"
            raise ArgumentTypeError(f"{text!r} is not a {what} from {lowest:,g} to {highest:,g}")
        return value

    return parse
