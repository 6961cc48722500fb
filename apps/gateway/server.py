"""``manage.py gateway``: uvicorn with an orderly end: finish what was taken, close sockets in steps, then stop."""

import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn

from apps.gateway.http_limits import BoundedHttpProtocol
from apps.gateway.process import get_gateway_process
from apps.protocol.limits import MAX_ENVELOPE_FRAME_BYTES

GRACEFUL_SECONDS = 1
BACKLOG = 4_096
UNREAD_MS = 60_000
SEND_BUFFER_BYTES = 128 * 1024

Application = Callable[..., Any]
"""An ASGI application."""


class GatewayServer(uvicorn.Server):
    """Starts the gateway's parts with the server and ends them before it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen only when the parts run."""
        process = get_gateway_process()
        process.on_failure = self._give_up  # type: ignore[method-assign]
        await super().startup(sockets=sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, finish and close our connections, then let uvicorn close what is left."""
        for server in self.servers:
            server.close()
        await get_gateway_process().stop()
        await super().shutdown(sockets=sockets)

    def _give_up(self) -> None:
        """A part failed for good: end, so that the supervisor starts a whole process."""
        self.should_exit = True


def run_gateway(listener: socket.socket, application: str, trusted_proxies: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT on a bound socket."""
    GatewayServer(build_config(application, trusted_proxies)).run(sockets=[listener])


def build_config(application: str | Application, trusted_proxies: Sequence[str]) -> uvicorn.Config:
    """How uvicorn serves an ASGI application, given itself or as ``module:name``.

    `trusted_proxies` are the addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed.
    """
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws="websockets-sansio",
        ws_max_size=MAX_ENVELOPE_FRAME_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        # Our settings say how it logs: at its debug level it would write down every frame.
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        server_header=False,
        # Only from proxies that were named: uvicorn would believe whoever connects from this machine, and a forged
        # address escapes every limit that counts addresses.
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that other gateway processes may share. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # What the kernel keeps for a client that does not read is part of its bounded queue; by itself it would take 4 MB.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if sys.platform == "linux":
        # A peer that takes nothing for so long is cut by the kernel; a close of ours would wait for it for ever.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
    listener.bind((host, port))
    return listener
