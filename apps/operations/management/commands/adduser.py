"""``manage.py adduser``: one user, for people and scripts."""

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError
from django.db import transaction

from apps.accounts.services import log_in_device, register_user
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Makes a user with a password that is asked for, or read from standard input."""

    help = "Make a user. The password is asked for twice, unless it comes on standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("username", metavar="NAME")
        parser.add_argument("--display-name", default="", help="default: the username")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        parser.add_argument("--token", action="store_true", help="make a device too and print its token, once")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, username: str, display_name: str, token: bool, **options: Any) -> None:
        """Make the user, and print what a script needs."""
        password = self._read_password(options["password_stdin"])
        made = _make(username, password, display_name, with_token=token)
        if options["json"]:
            self.stdout.write(json.dumps(made))
        else:
            self.stdout.write("\n".join(f"{name}: {value}" for name, value in made.items()))

    def _read_password(self, from_stdin: bool) -> str:
        if from_stdin:
            return sys.stdin.readline().rstrip("\r\n")
        if not sys.stdin.isatty():
            raise CommandError("there is no terminal to ask for the password: use --password-stdin")
        password = getpass.getpass("Password: ")
        if getpass.getpass("Password again: ") != password:
            raise CommandError("the two passwords differ")
        return password


@transaction.atomic
def _make(username: str, password: str, display_name: str, *, with_token: bool) -> dict[str, str]:
    user = register_user(username, password, display_name)
    made = {"user_id": user.pk, "username": user.username}
    if with_token:
        device, token = log_in_device(user, "adduser")
        made |= {"token": token, "device_id": device.pk}
    return made
