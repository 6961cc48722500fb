"""Pairs of users who write to each other while something else breaks the server."""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence

from tests.client.chat_client import ChatClient
from tests.client.history import History, SentMessage
from tests.client.options import Account, ClientOptions

TRICKLE_SECONDS = 0.05
CUT_SECONDS = (0.2, 2.0)


class Workload:
    """The clients of a run and what they send; every content is unique, as the checker asks."""

    def __init__(self, clients: Sequence[ChatClient], rng: random.Random) -> None:
        if len(clients) < 2 or len(clients) % 2:
            raise ValueError(f"clients come in pairs, here are {len(clients)}")
        self.clients = clients
        self.cuts = 0
        self._rng = rng
        self._numbers = itertools.count(1)

    @property
    def histories(self) -> list[History]:
        """What each client did and saw."""
        return [client.history for client in self.clients]

    def burst(self, count: int) -> None:
        """Submit `count` messages at once in each direction of each pair."""
        for _ in range(count):
            for sender in self.clients:
                self.send(sender)

    def send(self, sender: ChatClient) -> SentMessage:
        """Submit one message of `sender` to its partner."""
        number = next(self._numbers)
        partner = self.clients[self.clients.index(sender) ^ 1]
        return sender.send(partner.user_id, f"{number} {'x' * self._rng.randrange(120)}")

    def count_in_flight(self) -> int:
        """Messages that were written to a socket and have no ✓✓ yet."""
        return sum(bool(message.attempts) for history in self.histories for message in history.in_flight)

    def cut_all(self) -> None:
        """Cut every client without a closing handshake."""
        for client in self.clients:
            client.cut()
            self.cuts += 1

    async def settle(self, patience: float) -> bool:
        """Wait until every message has ✓✓ or was refused; False when none came to its end for `patience` seconds."""
        left, since = -1, time.monotonic()
        while now_left := sum(len(history.in_flight) for history in self.histories):
            if now_left != left:
                left, since = now_left, time.monotonic()
            elif time.monotonic() - since > patience:
                return False
            await asyncio.sleep(0.05)
        return True

    async def trickle(self) -> None:
        """Send now and then, for ever."""
        while True:
            self.send(self._rng.choice(self.clients))
            await asyncio.sleep(self._rng.expovariate(1 / TRICKLE_SECONDS))

    async def cut_sockets(self) -> None:
        """Cut one client after another without a closing handshake, for ever."""
        while True:
            await asyncio.sleep(self._rng.uniform(*CUT_SECONDS))
            self._rng.choice(self.clients).cut(reset=self._rng.random() < 0.5)
            self.cuts += 1


@contextlib.asynccontextmanager
async def running_workload(
    url: str, accounts: Sequence[Account], rng: random.Random, options: ClientOptions | None = None
) -> AsyncIterator[Workload]:
    """Bring one client per account online, in pairs; they go offline in the end."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(ChatClient(url, account, options)) for account in accounts]
        yield Workload(clients, rng)


@contextlib.asynccontextmanager
async def in_background(*jobs: asyncio.Task[None]) -> AsyncIterator[None]:
    """Run endless jobs beside the block; one that fails fails the block's end."""
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
        ends = await asyncio.gather(*jobs, return_exceptions=True)
    for end in ends:
        if end is not None and not isinstance(end, asyncio.CancelledError):
            raise end
