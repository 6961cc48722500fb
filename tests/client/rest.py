"""The REST calls of clients that do not give up while the server is being broken."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

TRY_TIMEOUT = 10.0
FIRST_RETRY = 0.2
LONGEST_RETRY = 5.0
TRY_LATER = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT})


class NoAnswer(Exception):
    """A call had no answer for as long as anybody would wait."""


class RestClient:
    """Calls under `/api/`, each repeated until it is answered. Use as `async with RestClient(url) as rest`.

    A call whose answer was lost may have been obeyed; it is asked again all the same.
    """

    def __init__(self, base_url: str, tls: ssl.SSLContext | None = None, patience: float = 240.0) -> None:
        self._patience = patience
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            base_url=f"{base_url}/api/", verify=tls or True, timeout=TRY_TIMEOUT, limits=limits
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> httpx.Response:
        """Call as the owner of `token`; gives the first answer that is neither 5xx nor "too many" nor a time-out.

        Raises NoAnswer when none has come within the patience.
        """
        headers = {} if token is None else {"Authorization": f"Token {token}"}
        give_up_at = time.monotonic() + self._patience
        pause, last = FIRST_RETRY, "nothing"
        while time.monotonic() < give_up_at:
            try:
                answer = await self._client.request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:
                last = repr(error)
            else:
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code not in TRY_LATER:
                    return answer
                last = f"{answer.status_code} {answer.text[:200]}"
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_RETRY)
        raise NoAnswer(f"{method} {path} had no answer for {self._patience:.0f} s, at last: {last}")
