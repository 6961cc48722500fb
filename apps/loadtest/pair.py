"""One sender and one receiver: what they send, and when each step of a message came back."""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from apps.loadtest.connection import Address, LoadConnection

SMALLEST_SIZE = 10
"""Characters of content: the number of the message, a space and one more."""


class Account(Protocol):
    """Who writes or reads, as ``addusers`` made them."""

    @property
    def user_id(self) -> str:
        """Its id."""

    @property
    def token(self) -> str:
        """The secret of its device."""


@dataclass(slots=True, kw_only=True)
class Latencies:
    """Seconds from just before the frame was written until each step, of all messages counted, over all pairs."""

    acknowledged: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Clock:
    """The measured span, in `time.perf_counter()` seconds, and whether anybody still sends."""

    starts_at: float
    ends_at: float

    def covers(self, moment: float) -> bool:
        """Whether a moment lies in the measured span."""
        return self.starts_at <= moment < self.ends_at


class Pair:
    """Sends from one account to another. With a `window` each ✓✓ lets the next message go, or each ✓ where the receiver
    is `away` until `bring_back`.
    """

    def __init__(
        self, sender: Account, receiver: Account, *, clock: Clock, latencies: Latencies, size: int, away: bool = False
    ) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.arrived = 0
        self.delivered = 0
        self.acknowledged_in_span = 0
        self.delivered_in_span = 0
        self.repeated = 0
        self.disordered = 0
        self.refusals: Counter[str] = Counter()
        self.away = away
        self._accounts = sender, receiver
        self._clock = clock
        self._latencies = latencies
        self._padding = "x" * (size - 9)
        self._first_client_id = secrets.randbelow(2**40)  # an account of an earlier run takes other ids
        self._refills = False
        self._newest = -1
        self._sent_at: list[float] = []
        self._refused = 0
        # By number: repeats are confirmed and counted once.
        self._acknowledged = bytearray()
        self._arrived = bytearray()
        self._delivered = bytearray()
        self._sender: LoadConnection | None = None
        self._receiver: LoadConnection | None = None

    @property
    def is_settled(self) -> bool:
        """Whether each message has ✓✓ or was refused."""
        return self.delivered + self._refused >= self.sent

    @property
    def missing(self) -> int:
        """Messages that have ✓ and did not arrive."""
        return sum(a and not b for a, b in zip(self._acknowledged, self._arrived, strict=True))

    async def open(self, address: Address) -> None:
        """Connect both ends, the receiver first where it is not away. Raises as `LoadConnection.open`."""
        if not self.away:
            await self.bring_back(address)
        self._sender = await LoadConnection.open(address, self._accounts[0].token, self._take_sender_frames)

    async def bring_back(self, address: Address) -> None:
        """Connect the receiver. Raises as `LoadConnection.open`."""
        self._receiver = await LoadConnection.open(address, self._accounts[1].token, self._take_receiver_frames)

    def start_window(self, window: int) -> None:
        """Begin the closed loop with `window` messages in flight."""
        self._refills = True
        for _ in range(window):
            self.send()

    def send(self) -> None:
        """Send the next message now."""
        if self._sender is None:
            raise RuntimeError("a pair is to be opened before it sends")
        frame = {
            "action": "send_message",
            "receiver_id": self._accounts[1].user_id,
            "content": f"{self.sent:08d} {self._padding}",
            "message_id_by_client": self._first_client_id + self.sent,
            "timestamp": time.time_ns() // 1_000_000,
        }
        self.sent += 1
        for steps in (self._acknowledged, self._arrived, self._delivered):
            steps.append(0)
        self._sent_at.append(time.perf_counter())
        self._sender.send_text(orjson.dumps(frame))

    def beat(self) -> None:
        """Send the heartbeat of both connections."""
        for connection in (self._sender, self._receiver):
            if connection is not None:
                connection.send_text(b'{"action":"heartbeat"}')

    def close(self) -> None:
        """End both connections."""
        for connection in (self._sender, self._receiver):
            if connection is not None:
                connection.close()

    def _take_sender_frames(self, sender: LoadConnection, texts: list[bytes]) -> None:
        now = time.perf_counter()
        for text in texts:
            frame = orjson.loads(text)
            action = frame["action"]
            if action == "error":
                self._take_refusal(frame)
                continue
            number = frame.get("message_id_by_client", -1) - self._first_client_id
            if not 0 <= number < self.sent:
                continue  # of an earlier run with the same accounts
            if action == "message_received" and not self._acknowledged[number]:
                self._acknowledged[number] = 1
                self.acknowledged += 1
                self.acknowledged_in_span += self._clock.covers(now)
                self._note(self._latencies.acknowledged, number, now)
                if self.away:
                    self._refill(now)
            elif action == "message_delivered" and not self._delivered[number]:
                self._delivered[number] = 1
                self.delivered += 1
                self.delivered_in_span += self._clock.covers(now)
                if not self.away:
                    self._note(self._latencies.delivered, number, now)
                    self._refill(now)

    def _take_refusal(self, frame: dict[str, Any]) -> None:
        self.refusals[str(frame.get("code"))] += 1
        if "message_id_by_client" in frame:
            self._refused += 1
            wait = frame.get("retry_after_ms", 0) / 1000
            asyncio.get_running_loop().call_later(wait, lambda: self._refill(time.perf_counter()))

    def _refill(self, now: float) -> None:
        if self._refills and now < self._clock.ends_at:
            self.send()

    def _take_receiver_frames(self, receiver: LoadConnection, texts: list[bytes]) -> None:
        now = time.perf_counter()
        for text in texts:
            frame = orjson.loads(text)
            if frame["action"] != "incoming_message":
                continue
            number = int(frame["content"][:8])
            if number < self.sent:  # beyond our own: left in the inbox by an earlier run with the same accounts
                self._take_arrived(number, now)
            confirmation = b'{"action":"message_delivered","message_id":"%b","timestamp":%d}'
            receiver.send_text(confirmation % (frame["message_id"].encode(), time.time_ns() // 1_000_000))

    def _take_arrived(self, number: int, now: float) -> None:
        if self._arrived[number]:
            self.repeated += 1
            return
        self._arrived[number] = 1
        self.arrived += 1
        self.disordered += number < self._newest
        self._newest = max(self._newest, number)
        if not self.away:
            self._note(self._latencies.arrived, number, now)

    def _note(self, latencies: list[float], number: int, now: float) -> None:
        sent_at = self._sent_at[number]
        if self._clock.covers(sent_at):
            latencies.append(now - sent_at)
