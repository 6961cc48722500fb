"""What commands for operators have in common: they ask before they destroy, and fail in a line that says what to do."""

from contextlib import suppress
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, DataError, Error, IntegrityError, connections

from apps.accounts.errors import AccountError, InvalidInputError
from apps.messagelog.base import LogUnavailable
from apps.messagestore.base import StoreUnavailable
from apps.messagestore.router import ALIAS as STORE_ALIAS
from apps.operations.schema import list_missing_migrations
from apps.valkey.pools import ValkeyError

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended, as shells have it."""


class OperatorCommand(BaseCommand):
    """A command that does one thing and ends. With ``--traceback`` it shows where an error came from."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it. Raises CommandError, also for what a service refuses, for a server that is away, and for Ctrl-C."""
        try:
            return super().execute(*args, **options)
        except InvalidInputError as error:
            reasons = " ".join(f"{field}: {' '.join(texts)}" for field, texts in error.fields.items())
            raise CommandError(reasons) from error
        except AccountError as error:
            raise CommandError(error.message) from error
        except (DataError, IntegrityError):
            raise  # a fault of ours
        except Error as error:
            raise CommandError(_explain_database(error)) from error
        except StoreUnavailable as error:
            raise CommandError(_explain_store(error)) from error
        except LogUnavailable as error:
            raise CommandError(f"the event log does not answer ({error})") from error
        except ValkeyError as error:
            raise CommandError(f"the cache does not answer ({error})") from error
        except KeyboardInterrupt as interrupt:
            raise CommandError("interrupted", returncode=INTERRUPTED) from interrupt

    @staticmethod
    def check_answerable(*, as_json: bool, answered: bool) -> None:
        """Raise CommandError where a question would stand in the JSON that a script reads."""
        if as_json and not answered:
            raise CommandError("--json takes --yes or --dry-run: nobody can be asked")

    def ask(self, question: str, otherwise: str) -> None:
        """Raise CommandError, with ``otherwise`` for what did not happen, unless somebody answers yes."""
        if self.read_answer(f"{question} [y/N] ", otherwise).strip().lower() not in ("y", "yes"):
            raise CommandError(otherwise)

    @staticmethod
    def read_answer(prompt: str, otherwise: str) -> str:
        """What somebody types. Raises CommandError, with ``otherwise``, where nobody does."""
        try:
            return input(prompt)
        except KeyboardInterrupt:
            raise CommandError(otherwise, returncode=INTERRUPTED) from None
        except (EOFError, RuntimeError):  # at its end, or closed
            raise CommandError(f"{otherwise}: nobody answers here, give --yes") from None


def _explain_store(error: StoreUnavailable) -> str:
    if STORE_ALIAS in connections.settings:
        with suppress(Error):
            if list_missing_migrations(STORE_ALIAS):
                return f"the Message DB lacks tables ({error}): run `manage.py migrate --database {STORE_ALIAS}`"
    return f"the Message DB does not answer ({error})"


def _explain_database(error: Error) -> str:
    line = str(error).strip().partition("\n")[0]
    try:
        missing = list_missing_migrations(DEFAULT_DB_ALIAS)
    except Error:
        return f"the users' database does not answer ({line}): start it, or look at DATABASE_URL"
    if missing:
        return f"the users' database lacks tables ({line}): run `manage.py migrate`"
    return f"the users' database failed ({line}): `manage.py doctor` looks at every part"
