"""The members of a group under load, all online: one writes, all others receive and confirm."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from apps.loadtest.connection import Address, LoadConnection
from apps.loadtest.pair import Account, Clock

CONNECTING_AT_ONCE = 32
INCOMING = b'{"action":"incoming_message"'


@dataclass(slots=True)
class Flight:
    """One message on its way: how many members do not have it yet; 0 for one that was refused."""

    sent_at: float
    missing: int
    acknowledged: float | None = None
    last_arrival: float | None = None


@dataclass(slots=True)
class Member:
    """What one member has, by the messages' numbers."""

    arrived: bytearray = field(default_factory=bytearray)
    newest: int = -1


class Crowd:
    """Everybody of one group. ``flights`` by number, in the order sent. With `start_window` each message that the last
    member has lets the next one go.
    """

    def __init__(self, group_id: str, accounts: Sequence[Account], *, size: int = 100, clock: Clock) -> None:
        self.flights: list[Flight] = []
        self.arrived = 0
        self.arrived_in_span = 0
        self.repeated = 0
        self.disordered = 0
        self.refusals: Counter[str] = Counter()
        self.news = asyncio.Event()
        self._group_id = group_id
        self._accounts = accounts
        self._clock = clock
        self._padding = "x" * (size - 9)
        self._first_client_id = secrets.randbelow(2**40)  # an account of an earlier run takes other ids
        self._refills = False
        self._settled = 0
        self._sender: LoadConnection | None = None
        self._members: list[LoadConnection] = []

    @property
    def is_settled(self) -> bool:
        """Whether each message has arrived everywhere or was refused."""
        return self._settled >= len(self.flights)

    @property
    def acknowledged(self) -> int:
        """Messages that have ✓."""
        return sum(flight.acknowledged is not None for flight in self.flights)

    @property
    def missing(self) -> int:
        """Deliveries that are owed for ✓ and did not come."""
        return sum(flight.missing for flight in self.flights if flight.acknowledged is not None)

    def list_measured(self) -> list[Flight]:
        """Messages that were sent in the measured span."""
        return [flight for flight in self.flights if self._clock.covers(flight.sent_at)]

    async def open(self, address: Address) -> None:
        """Connect everybody; the first account writes. Raises as `LoadConnection.open`."""
        places = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def join(account: Account) -> None:
            async with places:
                take = partial(self._take_member_frames, Member())
                self._members.append(await LoadConnection.open(address, account.token, take))

        await asyncio.gather(*(join(account) for account in self._accounts[1:]))
        self._sender = await LoadConnection.open(address, self._accounts[0].token, self._take_sender_frames)

    def start_window(self, window: int) -> None:
        """Begin the closed loop with so many messages in flight."""
        self._refills = True
        for _ in range(window):
            self.send()

    def send(self) -> None:
        """Write the next message."""
        if self._sender is None:
            raise RuntimeError("a crowd is to be opened before it sends")
        number = len(self.flights)
        self.flights.append(Flight(sent_at=time.perf_counter(), missing=len(self._members)))
        frame = {
            "action": "send_message",
            "group_id": self._group_id,
            "content": f"{number:08d} {self._padding}",
            "message_id_by_client": self._first_client_id + number,
            "timestamp": time.time_ns() // 1_000_000,
        }
        self._sender.send_text(orjson.dumps(frame))

    async def wait_until_arrived(self, seconds: float) -> bool:
        """Wait until everything sent has arrived everywhere or was refused. Returns whether it has."""
        try:
            async with asyncio.timeout(seconds):
                while not self.is_settled:
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

    def _take_member_frames(self, member: Member, connection: LoadConnection, texts: list[bytes]) -> None:
        now = time.perf_counter()
        confirmed: list[str] = []
        for text in texts:
            if not text.startswith(INCOMING):
                continue
            frame = orjson.loads(text)
            confirmed.append(frame["message_id"])
            if frame.get("group_id") == self._group_id:  # else left in the inbox by an earlier run
                self._take_arrived(member, int(frame["content"][:8]), now)
        if confirmed:
            confirmation = {"action": "message_delivered", "message_ids": confirmed}
            connection.send_text(orjson.dumps(confirmation | {"timestamp": time.time_ns() // 1_000_000}))

    def _take_arrived(self, member: Member, number: int, now: float) -> None:
        member.arrived.extend(bytes(max(0, number + 1 - len(member.arrived))))
        if member.arrived[number]:
            self.repeated += 1
            return
        member.arrived[number] = 1
        self.arrived += 1
        self.arrived_in_span += self._clock.covers(now)
        self.disordered += number < member.newest
        member.newest = max(member.newest, number)
        flight = self.flights[number]
        if flight.missing:  # else it was refused, and came all the same
            flight.missing -= 1
            if not flight.missing:
                flight.last_arrival = now
                self._settle(now)

    def _take_sender_frames(self, connection: LoadConnection, texts: list[bytes]) -> None:
        now = time.perf_counter()
        for text in texts:
            frame = orjson.loads(text)
            number = frame.get("message_id_by_client", -1) - self._first_client_id
            flight = self.flights[number] if 0 <= number < len(self.flights) else None
            if frame["action"] == "error":
                self._take_refusal(frame, flight)
            elif frame["action"] == "message_received" and flight is not None and flight.acknowledged is None:
                flight.acknowledged = now

    def _take_refusal(self, frame: dict[str, Any], flight: Flight | None) -> None:
        self.refusals[str(frame.get("code"))] += 1
        if flight is not None and flight.missing:
            flight.missing = 0
            wait = frame.get("retry_after_ms", 0) / 1000
            asyncio.get_running_loop().call_later(wait, lambda: self._settle(time.perf_counter()))

    def _settle(self, now: float) -> None:
        self._settled += 1
        self.news.set()
        if self._refills and now < self._clock.ends_at:
            self.send()
