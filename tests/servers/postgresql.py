"""A PostgreSQL cluster of its own, from the binaries of the machine's package."""

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql

from tests.client.processes import list_tree, send_signal
from tests.servers.ports import find_server_port
from tests.servers.process import FurtherVariables, ServerProcess, no_variables, running, server_folder

BINARIES = Path("/usr/lib/postgresql")  # where Debian and Ubuntu keep one folder a version
SUPERUSER = "chatsite"
# PostgreSQL refuses to run as root; the package makes this user.
UNPRIVILEGED_USER = "postgres"
OPTIONS = {"listen_addresses": "127.0.0.1", "max_connections": "200", "shared_buffers": "64MB"}


class PostgresqlServer:
    """The running server; `url` names the database "postgres"."""

    def __init__(self, process: ServerProcess, port: int) -> None:
        self.process = process
        self.port = port
        self.url = self._url_of("postgres")

    def create_database(self, name: str | None = None) -> str:
        """Make an empty database, under a random name where none is given; gives its URL."""
        name = name or f"test_{secrets.token_hex(4)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url_of(name)

    def pause(self) -> None:
        """SIGSTOP the postmaster and its backends, each of which is a session of its own."""
        send_signal(list_tree(self.process.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT all of them."""
        send_signal(list_tree(self.process.pid), signal.SIGCONT)

    def kill(self) -> None:
        """kill -9 the postmaster and its backends, as a power cut would."""
        send_signal(list_tree(self.process.pid), signal.SIGKILL)
        self.process.kill()

    def restart(self) -> None:
        """Start it again after a kill, on its data."""
        self.process.restart()

    def _url_of(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running_postgresql(variables_of: FurtherVariables = no_variables) -> Iterator[PostgresqlServer]:
    """Start an empty cluster whose superuser needs no password; `variables_of` "postgresql" are its environment's."""
    user = UNPRIVILEGED_USER if os.getuid() == 0 else None
    with server_folder("pg") as folder:
        if user is not None:
            shutil.chown(folder, user, user)
        _make_cluster(find_binaries(), folder, user)
        port = find_server_port()
        process = build_process("postgresql", folder, port, user, variables_of("postgresql"))
        with running(process):
            yield PostgresqlServer(process, port)


def build_process(
    name: str, folder: Path, port: int, user: str | None, variables: Mapping[str, str] = MappingProxyType({})
) -> ServerProcess:
    """The server on the cluster in `data` of this folder."""
    options = OPTIONS | {"port": str(port), "unix_socket_directories": str(folder)}
    command = [str(find_binaries() / "postgres"), "-D", str(folder / "data")]
    command += [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    # SIGINT is its fast shutdown: it does not wait for clients.
    return ServerProcess(
        name,
        command,
        folder,
        partial(_answers, port),
        environment=os.environ | variables,
        user=user,
        stop_signal=signal.SIGINT,
    )


def find_binaries() -> Path:
    """The folder of the newest version's programs; PATH where the machine keeps them there."""
    found = [path for path in BINARIES.glob("*/bin") if re.fullmatch(r"\d+", path.parent.name)]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("postgres")
    if on_path is None:
        raise RuntimeError(f"there is no PostgreSQL below {BINARIES} nor on PATH; install the package postgresql")
    return Path(on_path).parent


def _make_cluster(binaries: Path, folder: Path, user: str | None) -> None:
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", SUPERUSER, "--auth=trust", "-E", "UTF8"]
    command += ["--no-sync", "--locale=C.UTF-8"]
    groups: list[str] | None = None if user is None else []
    done = subprocess.run(
        command, cwd=folder, user=user, group=user, extra_groups=groups, capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        raise RuntimeError(f"initdb exited with {done.returncode}: {done.stderr}")


def _answers(port: int) -> bool:
    try:
        with psycopg.connect(host="127.0.0.1", port=port, user=SUPERUSER, dbname="postgres", connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
