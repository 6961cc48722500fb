"""TCP ports for servers that have to come back on the same port after they were killed."""

import random
import socket

# Below the range from which the kernel takes ports of outgoing connections (Linux 32768, macOS 49152): no client can
# sit on a server's port while the server is away.
FIRST_PORT, LAST_PORT = 10_000, 19_999


def find_server_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    while True:
        port = random.randint(FIRST_PORT, LAST_PORT)
        with socket.socket() as probe:
            # As servers do, or a closed connection of an earlier one would block the port for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def accepts_connections(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
