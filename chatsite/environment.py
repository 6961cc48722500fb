"""Reads environment variables (and ``.env``); a wrong value ends the start with one line.

`Environment` is what ``settings.py`` speaks to: one method for each kind of variable. Every method raises
`InvalidVariable`, whose text names the variable, its value and what it takes, with passwords hidden.
"""

import ipaddress
import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from apps.messagelog.kafka_address import parse_kafka_url
from chatsite import addresses

DatabaseSettings = dict[str, Any]

TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")
SECRET_KEY_BYTES = 48


class InvalidVariable(ImproperlyConfigured):
    """A variable whose value cannot be used; the text is one line for the person who starts the site."""

    def __init__(self, name: str, value: str | None, takes: str) -> None:
        self.name = name
        has = "is not set" if value is None else f"is {addresses.hide_password(value)!r}"
        super().__init__(f"{name} {has}: it takes {takes}")


class Environment:
    """The variables of the process, with the lines of a dotenv file for those that are not set.

    A variable that is set to nothing counts as not set. Relative paths count from the dotenv file's folder.
    """

    def __init__(self, dotenv: Path) -> None:
        self._folder = dotenv.parent
        if dotenv.is_file():
            environ.Env.read_env(dotenv)

    def _find(self, name: str) -> str | None:
        return os.environ.get(name, "").strip() or None

    def text(self, name: str, default: str) -> str:
        """Return the value as it stands."""
        return self._find(name) or default

    def boolean(self, name: str, default: bool) -> bool:
        """Return a yes-or-no value; 1, true, yes, on and their opposites are understood."""
        value = self._find(name)
        if value is None:
            return default
        if value.lower() not in TRUE_WORDS + FALSE_WORDS:
            raise InvalidVariable(name, value, "true or false")
        return value.lower() in TRUE_WORDS

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
        """Return a whole number from `minimum` to `maximum`, both included."""
        value = self._find(name)
        if value is None:
            return default
        bounds = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"
        try:
            number = int(value)
        except ValueError:
            raise InvalidVariable(name, value, f"a whole number, {bounds}") from None
        if number < minimum or (maximum is not None and number > maximum):
            raise InvalidVariable(name, value, f"a whole number, {bounds}")
        return number

    def optional_integer(self, name: str, *, minimum: int) -> int | None:
        """Return a whole number of at least `minimum`; None where it is not set."""
        return None if self._find(name) is None else self.integer(name, 0, minimum=minimum)

    def networks(self, name: str) -> list[str]:
        """Return a list of addresses and networks as 10.0.0.0/8, with commas between."""
        values = self.names(name, [])
        for value in values:
            try:
                ipaddress.ip_network(value)
            except ValueError:
                raise InvalidVariable(
                    name, ",".join(values), "IP addresses and networks, as 10.0.0.5,10.1.0.0/16"
                ) from None
        return values

    def port(self, name: str, default: int) -> int:
        """Return a TCP port; 0 is refused, since nobody could know the address then."""
        return self.integer(name, default, minimum=1, maximum=65_535)

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """Return one of `choices`, written in any case."""
        value = self._find(name)
        if value is None:
            return default
        for choice in choices:
            if choice.lower() == value.lower():
                return choice
        raise InvalidVariable(name, value, f"one of {', '.join(choices)}")

    def names(self, name: str, default: Sequence[str]) -> list[str]:
        """Return a list written with commas between."""
        value = self._find(name)
        if value is None:
            return list(default)
        return [item.strip() for item in value.split(",") if item.strip()]

    def data_dir(self, name: str, default: Path) -> Path:
        """Return the absolute path of a folder that exists (made with mode 0700) and can be written."""
        value = self._find(name)
        path = default if value is None else self._folder / Path(value).expanduser()
        path = path.resolve()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                return path
        except OSError as error:
            takes = f"a folder that can be made and written ({error.strerror})"
            raise InvalidVariable(name, str(path), takes) from None

    def secret_key(self, name: str, data_dir: Path) -> str:
        """Return the key of sessions and signatures, made once into `data_dir` where that is sound.

        Several hosts must share one key, so beside an external users' database it has to be given
        (except with DEBUG).
        """
        value = self._find(name)
        if value is not None:
            return value
        if not self.boolean("DEBUG", False) and addresses.is_postgresql(self._find("DATABASE_URL")):
            takes = "a long random text, the same on every host, when DATABASE_URL points to a server"
            raise InvalidVariable(name, None, takes)
        return _read_or_make_secret(data_dir / "secret-key", name)

    def valkey_url(self, name: str, data_dir: Path, server: str) -> str:
        """Return the URL of a Valkey or Redis; absent: the socket of the embedded `server` of that name."""
        value = self._find(name)
        if value is None:
            return f"unix://{self._embedded_socket(data_dir, server)}"
        return self._valkey_address(name, value)

    def valkey_url_or(self, name: str, default: str) -> str:
        """Return the URL of a Valkey or Redis; absent: `default`, the URL of another variable."""
        value = self._find(name)
        return default if value is None else self._valkey_address(name, value)

    def valkey_cluster_url_or(self, name: str, default: str) -> str:
        """Return the URL of a Valkey or Redis that may be a cluster, then with some of its nodes' addresses."""
        value = self._find(name)
        if value is None or "," not in value:
            return self.valkey_url_or(name, default)
        if not addresses.is_server_list(value, ("redis", "rediss", "valkey", "valkeys")):
            raise InvalidVariable(
                name, value, "redis://host:port,host:port (nodes of one cluster) or redis://host:port/0"
            )
        return addresses.to_redis_url(value)

    def broker_url(self, name: str, default: str) -> str:
        """Return the URL of Celery's broker; absent: the Valkey at `default`, as Celery writes it."""
        return addresses.to_broker_url(self.valkey_url_or(name, default))

    def event_log_url(self, name: str, data_dir: Path) -> str:
        """Return the URL of the event log; absent: the socket of the embedded log server."""
        value = self._find(name)
        if value is None:
            return f"valkey+unix://{self._embedded_socket(data_dir, 'log')}"
        if addresses.is_server_list(value, ("kafka",)):
            try:
                parse_kafka_url(value)
            except ValueError as error:
                raise InvalidVariable(name, value, str(error)) from None
            return value
        if not addresses.is_server_url(value, ("valkey", "valkeys", "valkey+unix")):
            raise InvalidVariable(name, value, "valkey://host:port or kafka://host:9092,host:9092")
        return value

    def database(self, name: str, sqlite_path: Path) -> DatabaseSettings:
        """Return Django's settings of the users' database; absent: the SQLite file at `sqlite_path`."""
        value = self._find(name)
        if value is None:
            return addresses.sqlite_database(sqlite_path)
        return self._database_of(name, value)

    def optional_database(self, name: str) -> DatabaseSettings | None:
        """Return Django's settings of the database that a variable names, if it is set."""
        value = self._find(name)
        return None if value is None else self._database_of(name, value) | {"TEST": {"MIRROR": "default"}}

    def message_store_url(self, name: str) -> str:
        """Return the URL of the Message DB: ``orm://messages`` (the default) or a MongoDB."""
        value = self._find(name) or "orm://messages"
        if value != "orm://messages" and not addresses.is_server_list(value, ("mongodb", "mongodb+srv")):
            raise InvalidVariable(name, value, "orm://messages or mongodb://user:password@host:27017,host:27017/name")
        return value

    def message_database(self, users_name: str, sqlite_path: Path) -> DatabaseSettings:
        """Return Django's settings of the Message DB on the ORM: the users' database where that is PostgreSQL, else a
        SQLite file of its own.
        """
        users_url = self._find(users_name)
        if users_url is not None and addresses.is_postgresql(users_url):
            return addresses.message_database(self._database_of(users_name, users_url))
        return addresses.sqlite_database(sqlite_path)

    def _database_of(self, name: str, value: str) -> DatabaseSettings:
        try:
            return addresses.parse_database_url(value, self._folder)
        except addresses.UnusableAddress as error:
            raise InvalidVariable(name, value, str(error)) from None

    def _valkey_address(self, name: str, value: str) -> str:
        if not addresses.is_server_url(value, ("redis", "rediss", "valkey", "valkeys", "unix")):
            raise InvalidVariable(name, value, "redis://host:port/0, rediss://…, valkey://… or unix:///path")
        return addresses.to_redis_url(value)

    def _embedded_socket(self, data_dir: Path, server: str) -> Path:
        try:
            return addresses.embedded_socket(data_dir, server)
        except (OSError, addresses.UnusableAddress) as error:
            raise InvalidVariable("CHAT_DATA_DIR", str(data_dir), f"a folder for sockets ({error})") from None


def _read_or_make_secret(path: Path, name: str) -> str:
    """Return the secret in the file `path`; when several processes start at once, all get the first one's."""
    try:
        if not path.exists():
            _write_if_absent(path, secrets.token_urlsafe(SECRET_KEY_BYTES))
        key = path.read_text().strip()
    except OSError as error:
        raise InvalidVariable(name, None, f"a value, since {path} cannot be used ({error.strerror})") from None
    if not key:
        raise InvalidVariable(name, None, f"a value, since {path} is empty")
    return key


def _write_if_absent(path: Path, text: str) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        # A link appears whole or not at all; where another process was first, its file is the one that counts.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def report_in_one_line() -> None:
    """Let an `InvalidVariable` that nobody catches end the process with its one line, without a traceback.

    It serves every door at once: ``manage.py``, ``celery`` and the ASGI servers. The exit code is 1.
    """
    former = sys.excepthook

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, InvalidVariable):
            print(f"chatsite: {error}", file=sys.stderr)
        else:
            former(kind, error, trace)

    sys.excepthook = report
