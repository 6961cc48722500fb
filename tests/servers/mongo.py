"""A server that speaks MongoDB's protocol, for the adapter's sake: what it keeps is gone with it.

It has no replica sets, no sharding, no transactions, and ignores TTL and partial indexes; those stay unproven here.
"""

import contextlib
from collections.abc import Iterator
from functools import partial

from tests.servers.maven import fetch_mongo, find_java
from tests.servers.ports import accepts_connections, find_server_port
from tests.servers.process import ServerProcess, running, server_folder


class MongoServer:
    """The running server; `url` has no database name in it."""

    def __init__(self, process: ServerProcess, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"mongodb://127.0.0.1:{port}"

    def pause(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        self.process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.process.resume()

    def kill(self) -> None:
        """kill -9; with it goes all it held."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again after a kill, empty."""
        self.process.restart()


@contextlib.contextmanager
def running_mongo() -> Iterator[MongoServer]:
    """Start an empty server."""
    port = find_server_port()
    command = [find_java(), "-Xmx2g", "-XX:+UseSerialGC", "-cp", fetch_mongo(), "MongoMain", str(port)]
    with server_folder("mongo") as folder:
        process = ServerProcess("mongo", command, folder, partial(accepts_connections, port))
        with running(process):
            yield MongoServer(process, port)
