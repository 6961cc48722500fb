"""Whose word about a client's address and scheme the gateway takes."""

from collections.abc import Sequence
from typing import Any

import pytest

from apps.gateway.server import build_config

PROXY = "10.0.0.5"
PERSON = "198.51.100.20"
FORGED = "203.0.113.7"


async def see(trusted: Sequence[str], peer: str, kind: str = "websocket", **headers: str) -> tuple[str, str]:
    """The client's address and the scheme that the application is told, for a connection from `peer`."""
    seen: dict[str, Any] = {}

    async def application(scope: dict[str, Any], receive: object, send: object) -> None:
        seen.update(scope)

    config = build_config(application, trusted)
    config.load()
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scheme = "ws" if kind == "websocket" else "http"
    scope = {"type": kind, "client": (peer, 40_000), "scheme": scheme, "headers": encoded}
    await config.loaded_app(scope, None, None)  # type: ignore[arg-type]
    return seen["client"][0], seen["scheme"]


@pytest.mark.parametrize(("kind", "scheme"), [("websocket", "wss"), ("http", "https")])
async def test_a_trusted_proxy_tells_who_connects_and_how(kind: str, scheme: str) -> None:
    told = {"x_forwarded_for": PERSON, "x_forwarded_proto": "https"}
    assert await see([PROXY], PROXY, kind, **told) == (PERSON, scheme)
    assert await see(["10.0.0.0/24"], PROXY, kind, **told) == (PERSON, scheme)


@pytest.mark.parametrize("trusted", [[], [PROXY]])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.6", PERSON])
async def test_nobody_else_does(trusted: list[str], peer: str) -> None:
    told = {"x_forwarded_for": FORGED, "x_forwarded_proto": "https"}
    assert await see(trusted, peer, **told) == (peer, "ws")


async def test_what_a_client_wrote_before_the_proxy_added_to_it_is_not_believed() -> None:
    assert await see([PROXY], PROXY, x_forwarded_for=f"{FORGED}, {PERSON}") == (PERSON, "ws")


async def test_a_chain_of_trusted_proxies_is_followed_to_the_first_address_that_is_not_one() -> None:
    told = {"x_forwarded_for": f"{FORGED}, {PERSON}, 10.0.0.9"}
    assert await see(["10.0.0.0/24"], PROXY, **told) == (PERSON, "ws")


async def test_a_scheme_that_is_none_is_not_taken() -> None:
    assert await see([PROXY], PROXY, x_forwarded_for=PERSON, x_forwarded_proto="gopher") == (PERSON, "ws")
