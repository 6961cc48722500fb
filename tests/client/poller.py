"""Long polling by hand, one request at a time, for tests that look at single answers or break the contract."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.client.history import Frame
from tests.client.options import credential_headers

LONGEST_WAIT_MS = 25_000
TIMEOUT_SECONDS = 40.0


class Poller:
    """One client; its requests share a connection as far as they follow each other."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def poll(self, *frames: Any, wait_ms: int = LONGEST_WAIT_MS, **fields: Any) -> httpx.Response:
        """Send frames and wait for the answer, whatever it is; `fields` are further fields of the body."""
        body = {"frames": list(frames), "wait_ms": wait_ms} | fields
        return await self.client.post("/chat/poll", json=body)

    async def poll_frames(self, *frames: Any, wait_ms: int = LONGEST_WAIT_MS, **fields: Any) -> list[Frame]:
        """The same, where an answer with frames is due. Raises httpx.HTTPStatusError for a refusal."""
        answer = await self.poll(*frames, wait_ms=wait_ms, **fields)
        received: list[Frame] = answer.raise_for_status().json()["frames"]
        return received

    async def open(self) -> list[Frame]:
        """A first poll; the frames of its answer."""
        frames = await self.poll_frames()
        assert frames[0]["action"] == "connected", frames
        return frames


@contextlib.asynccontextmanager
async def polling(
    base_url: str, *, token: str | None = None, session: str | None = None, origin: str | None = None
) -> AsyncIterator[Poller]:
    """A Poller with these credentials."""
    headers = credential_headers(token=token, session=session, origin=origin)
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=TIMEOUT_SECONDS) as client:
        yield Poller(client)
