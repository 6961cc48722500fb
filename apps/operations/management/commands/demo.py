"""``manage.py demo``: two users to try the site with; ``up --demo`` runs it."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from apps.operations.demo import DemoImpossible, load_people, make_people, talk
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Makes two users who have written to each other, and says how to log in as them."""

    help = "Make two users with a sample talk on a running site. Run again, it tells their passwords again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("address", metavar="ADDRESS", help="where the site runs, such as http://127.0.0.1:8000")

    def handle(self, *, address: str, **options: Any) -> None:
        """Make them and let them write, once; tell how to log in."""
        path = settings.CHAT_DATA_DIR / "demo.json"
        people = load_people(path)
        try:
            if not people:
                people = make_people(path)
                talk(address)
        except DemoImpossible as error:
            raise CommandError(str(error)) from None
        for person in people:
            self.stdout.write(f"log in at {address}/login/ as {person.username} with password {person.password}")
        self.stdout.write("(each in a browser or private window of its own)")
