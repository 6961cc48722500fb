"""The members of a group under load: one writes, all others receive and confirm."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from apps.loadtest.connection import Address, LoadConnection
from apps.loadtest.pair import Account

CONNECTING_AT_ONCE = 50
HEARTBEAT_SECONDS = 25.0


@dataclass(slots=True)
class Flight:
    """One message on its way: how many members do not have it yet."""

    sent_at: float
    missing: int
    acknowledged: float | None = None
    last_arrival: float | None = None


@dataclass(slots=True)
class Crowd:
    """Everybody online. ``flights`` by number, in the order sent."""

    group_id: str
    accounts: Sequence[Account]
    size: int = 100
    flights: list[Flight] = field(default_factory=list)
    disordered: int = 0
    repeated: int = 0
    errors: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    _sender: LoadConnection | None = None
    _members: list[LoadConnection] = field(default_factory=list)
    _first_id: int = field(default_factory=lambda: time.time_ns() // 1_000)

    async def open(self, address: Address) -> None:
        """Connect everybody; the first account writes."""
        places = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def join(account: Account) -> None:
            newest = -1

            def take(connection: LoadConnection, texts: list[bytes]) -> None:
                nonlocal newest
                newest = self._take(connection, texts, newest)

            async with places:
                self._members.append(await LoadConnection.open(address, account.token, take))

        self._sender = await LoadConnection.open(address, self.accounts[0].token, self._take_sender_frames)
        await asyncio.gather(*(join(account) for account in self.accounts[1:]))

    def send(self) -> Flight:
        """Write the next message."""
        assert self._sender is not None
        number = len(self.flights)
        flight = Flight(sent_at=time.perf_counter(), missing=len(self._members))
        self.flights.append(flight)
        frame = {
            "action": "send_message",
            "group_id": self.group_id,
            "content": f"{number:08d} {'x' * (self.size - 9)}",
            "message_id_by_client": self._first_id + number,
            "timestamp": time.time_ns() // 1_000_000,
        }
        self._sender.send_text(orjson.dumps(frame))
        return flight

    async def wait_until_arrived(self, seconds: float) -> bool:
        """Wait until everything sent has arrived everywhere. Returns whether it has."""
        try:
            async with asyncio.timeout(seconds):
                while any(flight.missing for flight in self.flights):
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            return False
        return True

    def beat(self) -> None:
        """Everybody's heartbeat."""
        for connection in (self._sender, *self._members):
            if connection is not None:
                connection.send_text(b'{"action":"heartbeat"}')

    def close(self) -> None:
        """End all connections."""
        for connection in (self._sender, *self._members):
            if connection is not None:
                connection.close()

    def _take(self, connection: LoadConnection, texts: list[bytes], newest: int) -> int:
        now = time.perf_counter()
        confirmed: list[str] = []
        for text in texts:
            if not text.startswith(b'{"action":"incoming_message"'):
                continue
            frame = orjson.loads(text)
            number = int(frame["content"][:8])
            confirmed.append(frame["message_id"])
            if number <= newest:
                self.repeated += 1
                continue
            self.disordered += number != newest + 1
            newest = number
            flight = self.flights[number]
            flight.missing -= 1
            if not flight.missing:
                flight.last_arrival = now
                self.news.set()
        if confirmed:
            connection.send_text(
                orjson.dumps({"action": "message_delivered", "message_ids": confirmed, "timestamp": 0})
            )
        return newest

    def _take_sender_frames(self, connection: LoadConnection, texts: list[bytes]) -> None:
        now = time.perf_counter()
        for text in texts:
            if text.startswith(b'{"action":"message_received"'):
                number = orjson.loads(text)["message_id_by_client"] - self._first_id
                if self.flights[number].acknowledged is None:
                    self.flights[number].acknowledged = now
            elif text.startswith(b'{"action":"error"'):
                self.errors.append(text.decode())
