"""Addresses of servers and databases: what a URL may say, and how each library wants it written.

Pure, except for `embedded_socket`, which makes the folder of the sockets.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

# A unix socket's path must stay under 108 bytes (104 on macOS); Valkey adds nothing to it.
LONGEST_SOCKET_PATH = 100
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+@=-]+")
POSTGRESQL_SCHEMES = ("postgres", "postgresql")
# libpq would wait for minutes for a server whose host is gone. A URL may say otherwise: ?connect_timeout=30.
POSTGRESQL_OPTIONS = {
    "connect_timeout": 5,  # s
    "keepalives_idle": 10,  # s
    "keepalives_interval": 5,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # ms
}
SQLITE_TIMEOUT_SECONDS = 20
# FULL: the last commits survive a power loss in WAL mode. No mmap: a torn write must be an error, not a signal.
# What is deleted is overwritten. Not FAST, which leaves freed overflow pages as they are: messages above some 4 KB
# stayed readable in the file. A batch of 200 messages takes a fifth longer (3.3 ms for 2.8 ms, on 2 cores).
SQLITE_PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "secure_delete": "ON",
    "mmap_size": "0",
    "cache_size": "-65536",  # KiB
    "wal_autocheckpoint": "4000",  # pages
}


class UnusableAddress(ValueError):
    """An address that cannot be used; the text says what is taken in its place."""


def hide_password(value: str) -> str:
    """Return `value` with the password of a URL, if it has one, replaced by stars."""
    return re.sub(r"(://[^/@\s]*:)[^/\s]*@", r"\1***@", value)


def is_server_url(value: str, schemes: Sequence[str]) -> bool:
    """Tell whether `value` is a URL of one of `schemes`, with a host (or, for sockets, an absolute path)."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is not a number below 65536
    except ValueError:
        return False
    if parts.scheme not in schemes:
        return False
    if parts.scheme.endswith("unix"):
        return not parts.hostname and len(parts.path) > 1
    return bool(parts.hostname) and parts.port != 0


def is_server_list(value: str, schemes: Sequence[str]) -> bool:
    """Tell whether `value` is a URL of one of `schemes` whose host part may be several with commas between."""
    scheme, separator, rest = value.partition("://")
    hosts, slash, path = rest.partition("/")
    credentials, at, hosts = hosts.rpartition("@")
    return bool(separator) and all(
        is_server_url(f"{scheme}://{credentials}{at}{host}{slash}{path}", schemes) for host in hosts.split(",")
    )


def to_redis_url(url: str) -> str:
    """Write a ``valkey`` URL with the scheme that redis-py knows."""
    return re.sub(r"^valkey(s?)://", r"redis\1://", url)


def to_broker_url(url: str) -> str:
    """Write the URL of a Valkey as Celery wants it: sockets are ``redis+socket://``, their database `virtual_host`."""
    if not url.startswith("unix://"):
        return url
    return url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)


def embedded_socket(data_dir: Path, server: str) -> Path:
    """Return the path of the socket of the embedded Valkey `server` of this data folder.

    It lies in ``run/`` of the data folder or, where that path would be too long or needs quoting in a URL, in a
    private folder below ``/tmp``. Raises OSError, and UnusableAddress where that folder is somebody else's.
    """
    folder = data_dir / "run"
    if len(os.fsencode(folder / f"{server}.sock")) >= LONGEST_SOCKET_PATH or not PLAIN_PATH.fullmatch(str(folder)):
        digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:8]
        folder = Path("/tmp") / f"chatsite-{os.getuid()}-{digest}"  # noqa: S108 (private, checked below)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise UnusableAddress(f"{folder} can be written by others")
    return folder / f"{server}.sock"


def is_postgresql(url: str | None) -> bool:
    """Tell whether a database URL means a PostgreSQL server."""
    return url is not None and url.partition(":")[0] in POSTGRESQL_SCHEMES


def sqlite_database(path: Path | str) -> dict[str, Any]:
    """Return Django's settings of a SQLite file whose commits survive a power loss."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            # A transaction that starts by reading and then writes could not wait for its lock.
            "transaction_mode": "IMMEDIATE",
            "timeout": SQLITE_TIMEOUT_SECONDS,
            "init_command": "; ".join(f"PRAGMA {name}={value}" for name, value in SQLITE_PRAGMAS.items()),
        },
    }


def parse_database_url(url: str, base: Path) -> dict[str, Any]:
    """Return Django's settings of the database at `url`, a SQLite file or a PostgreSQL server.

    A relative path counts from `base`. Raises UnusableAddress.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        path = url.removeprefix("sqlite://").removeprefix("/")
        if not path or ":memory:" in path:
            raise UnusableAddress("sqlite:////absolute/path (several processes cannot share a database in memory)")
        return sqlite_database((base / path).resolve())
    if scheme not in POSTGRESQL_SCHEMES:
        raise UnusableAddress("postgresql://user:password@host:5432/name or sqlite:////absolute/path")
    try:
        settings: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError:
        raise UnusableAddress("postgresql://user:password@host:5432/name") from None
    if not settings.get("NAME"):
        raise UnusableAddress("postgresql://user:password@host:5432/name, with the name of a database")
    settings["OPTIONS"] = POSTGRESQL_OPTIONS | settings.get("OPTIONS", {})
    return settings | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


def message_database(users: dict[str, Any]) -> dict[str, Any]:
    """Return Django's settings of the Message DB in the PostgreSQL database of these settings of the users.

    Its own connections prepare their statements on the server: a batch of 200 rows takes half the time.
    """
    return users | {
        "OPTIONS": users["OPTIONS"] | {"server_side_binding": True, "prepare_threshold": 5},
        "TEST": {"MIRROR": "default"},
    }
