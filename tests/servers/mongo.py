"""A server that speaks MongoDB's protocol, for the adapter's sake: what it keeps is gone with it.

It has no replica sets, no sharding, no transactions, and ignores TTL and partial indexes; those stay unproven here.
"""

import contextlib
from collections.abc import Iterator
from functools import partial

from tests.servers.maven import fetch_mongo, find_java
from tests.servers.ports import accepts_connections, find_server_port
from tests.servers.process import ServerProcess, SingleServer, running, server_folder


class MongoServer(SingleServer):
    """The running server; `url` has no database name in it. A kill takes all it held."""

    def __init__(self, process: ServerProcess, port: int) -> None:
        super().__init__(process)
        self.port = port
        self.url = f"mongodb://127.0.0.1:{port}"


@contextlib.contextmanager
def running_mongo() -> Iterator[MongoServer]:
    """Start an empty server."""
    port = find_server_port()
    command = [find_java(), "-Xmx2g", "-XX:+UseSerialGC", "-cp", fetch_mongo(), "MongoMain", str(port)]
    with server_folder("mongo") as folder:
        process = ServerProcess("mongo", command, folder, partial(accepts_connections, port))
        with running(process):
            yield MongoServer(process, port)
