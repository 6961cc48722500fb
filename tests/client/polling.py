"""The chat client over long polling, knowing the contract and no more: frames up, frames down, one poll at a time."""

import asyncio
import contextlib
import itertools
import logging
import ssl
from collections.abc import Sequence

import httpx
import orjson
from websockets.exceptions import ConnectionClosedError

from tests.client.chat_client import ChatClient
from tests.client.history import Frame
from tests.client.options import Account, ClientOptions

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each poll would bury what a failed test shows

RETRY_SECONDS = 0.1
ANSWER_MARGIN_SECONDS = 10.0
CLOSE_CODE_OF_STATUS = {401: 4401, 403: 4403, 409: 4409}


class PollingChatClient(ChatClient):
    """One device of one user that polls, each time at the next of `base_urls`. `wait_ms` is how long it lets a poll
    wait, and so the longest that a frame of its own waits.
    """

    def __init__(
        self,
        base_urls: str | Sequence[str],
        account: Account,
        options: ClientOptions | None = None,
        *,
        wait_ms: int = 400,
    ) -> None:
        self._base_urls = [base_urls] if isinstance(base_urls, str) else list(base_urls)
        self._wait_ms = wait_ms
        super().__init__(self._base_urls[0], account, options)

    async def _open_connection(self) -> "PollLine":
        return PollLine(self._base_urls, self.account.token, self._wait_ms, self._options.tls)

    def cut(self, *, reset: bool = True) -> None:
        """Give up the poll that is under way, and poll no more."""
        if isinstance(self._socket, PollLine):
            self._socket.cut()


class PollLine:
    """What a socket would be to the client: frames are written to it and read from it, until it ends.

    A poll that fails is sent again, as the contract has it: with the same frames, since they may not have come.
    """

    def __init__(self, base_urls: Sequence[str], token: str, wait_ms: int, tls: ssl.SSLContext | None = None) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self._urls = itertools.cycle([f"{base_url}/chat/poll" for base_url in base_urls])
        self._headers = {"Authorization": f"Token {token}"}
        self._wait_ms = wait_ms
        self._verify = tls or True
        self._unsent: list[Frame] = []
        self._received: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._polling = asyncio.create_task(self._poll())

    async def recv(self) -> bytes:
        """The next frame. Raises ConnectionClosedError after the last."""
        frame = await self._received.get()
        if frame is None:
            raise ConnectionClosedError(None, None)
        return orjson.dumps(frame)

    async def send(self, text: str) -> None:
        """Give a frame to the next poll. Raises ConnectionClosedError after the end."""
        if self._polling.done():
            raise ConnectionClosedError(None, None)
        self._unsent.append(orjson.loads(text))

    def cut(self) -> None:
        """Poll no more."""
        self._polling.cancel()

    async def close(self) -> None:
        """Poll no more, and wait for the end of it."""
        self._polling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._polling

    async def _poll(self) -> None:
        try:
            timeout = self._wait_ms / 1000 + ANSWER_MARGIN_SECONDS
            async with httpx.AsyncClient(headers=self._headers, timeout=timeout, verify=self._verify) as client:
                while self.close_code is None:
                    await self._poll_once(client)
        finally:
            self._received.put_nowait(None)

    async def _poll_once(self, client: httpx.AsyncClient) -> None:
        frames = self._unsent[:500]
        try:
            answer = await client.post(next(self._urls), json={"frames": frames, "wait_ms": self._wait_ms})
        except httpx.TransportError:
            await asyncio.sleep(RETRY_SECONDS)
            return
        if answer.status_code in CLOSE_CODE_OF_STATUS:
            self.close_code = CLOSE_CODE_OF_STATUS[answer.status_code]
            self.close_reason = answer.json()["message"]
        elif answer.status_code == httpx.codes.OK:
            del self._unsent[: len(frames)]
            for frame in answer.json()["frames"]:
                self._received.put_nowait(frame)
        else:
            await asyncio.sleep(float(answer.headers.get("retry-after", RETRY_SECONDS)))
