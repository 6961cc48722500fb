"""Who connects, and how the client behaves."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One device that may connect, as `addusers` and the REST login give it."""

    user_id: str
    device_id: str
    token: str
    username: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """All times in seconds.

    `reconnects` False leaves the client offline after its connection ends. `confirms` False stores messages without
    telling the server. `heartbeat_every` None takes the interval that the server names. `connected_timeout` is for the
    first frame of a connection, without which it is given up. `tls` knows the certificate of a `wss` address; None
    takes those that the machine trusts.
    """

    reconnects: bool = True
    confirms: bool = True
    heartbeat_every: float | None = None
    first_retry: float = 0.05
    longest_retry: float = 1.0
    open_timeout: float = 5.0
    connected_timeout: float = 30.0
    ack_timeout: float = 10.0
    tls: ssl.SSLContext | None = None


def credential_headers(*, token: str | None, session: str | None, origin: str | None) -> dict[str, str]:
    """The headers by which a client says who it is."""
    headers = {
        "Authorization": f"Token {token}" if token is not None else None,
        "Cookie": f"sessionid={session}" if session is not None else None,
        "Origin": origin,
    }
    return {name: value for name, value in headers.items() if value is not None}
