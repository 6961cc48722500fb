"""A streaming replica of a PostgreSQL server: everything that the primary commits, a moment later, read-only."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg

from tests.client.processes import wait_until
from tests.servers.ports import find_server_port
from tests.servers.postgresql import (
    SUPERUSER,
    UNPRIVILEGED_USER,
    PostgresqlServer,
    build_process,
    find_binaries,
)
from tests.servers.process import ServerProcess, running, server_folder

CATCH_UP_TIMEOUT = 60.0


class PostgresqlReplica(PostgresqlServer):
    """A server that follows `primary`; a test may pause, kill and restart it as any other."""

    def __init__(self, process: ServerProcess, port: int, primary: PostgresqlServer) -> None:
        super().__init__(process, port)
        self._primary = primary

    def url_of(self, primary_url: str) -> str:
        """The URL here of a database of the primary."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}{urlsplit(primary_url).path}"

    def wait_until_caught_up(self) -> None:
        """Wait until all that the primary has committed by now can be read here."""
        with psycopg.connect(self._primary.url, autocommit=True) as connection:
            [position] = connection.execute("SELECT pg_current_wal_lsn()").fetchone() or [None]
        with psycopg.connect(self.url, autocommit=True) as connection:

            def is_there() -> bool:
                [there] = connection.execute("SELECT pg_last_wal_replay_lsn() >= %s", [position]).fetchone() or [False]
                return bool(there)

            wait_until(is_there, "a replica that has caught up", CATCH_UP_TIMEOUT)


@contextlib.contextmanager
def running_replica(primary: PostgresqlServer) -> Iterator[PostgresqlReplica]:
    """Copy the primary, as it runs, and follow it."""
    user = UNPRIVILEGED_USER if os.getuid() == 0 else None
    with server_folder("pgr") as folder:
        if user is not None:
            shutil.chown(folder, user, user)
        copy = [str(find_binaries() / "pg_basebackup"), "--pgdata", str(folder / "data"), "--write-recovery-conf"]
        copy += ["--checkpoint=fast", "--no-sync", "--dbname", primary.url]
        groups: list[str] | None = None if user is None else []
        subprocess.run(copy, cwd=folder, user=user, group=user, extra_groups=groups, check=True, timeout=120)
        port = find_server_port()
        process = build_process("replica", folder, port, user)
        with running(process):
            yield PostgresqlReplica(process, port, primary)
