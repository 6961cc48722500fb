"""One sender and one receiver: what they send, and when each step of a message came back."""

import random
import time
from dataclasses import dataclass, field

import orjson

from benchmarks.pipeline.connection import LoadConnection
from tests.client.options import Account


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
    """Sends from one account to another. With a `window` each ✓✓ lets the next message go."""

    def __init__(self, sender: Account, receiver: Account, *, clock: Clock, latencies: Latencies, size: int) -> None:
        self.sent = 0
        self.delivered = 0
        self.delivered_in_span = 0
        self.errors: list[bytes] = []
        self._accounts = sender, receiver
        self._clock = clock
        self._latencies = latencies
        self._padding = "x" * (size - 9)
        self._first_client_id = random.randrange(2**40)  # an account of an earlier run takes other ids
        self._refills = False
        self._sent_at: list[float] = []
        self._arrived = bytearray()  # by number: repeats are confirmed and counted once
        self._steps = bytearray()
        self._sender: LoadConnection | None = None
        self._receiver: LoadConnection | None = None

    async def open(self, host: str, port: int) -> None:
        """Connect both ends, the receiver first."""
        sender, receiver = self._accounts
        self._receiver = await LoadConnection.open(host, port, receiver.token, self._take_receiver_frames)
        self._sender = await LoadConnection.open(host, port, sender.token, self._take_sender_frames)

    def start_window(self, window: int) -> None:
        """Begin the closed loop with `window` messages in flight."""
        self._refills = True
        for _ in range(window):
            self.send()

    def send(self) -> None:
        """Send the next message now."""
        assert self._sender is not None
        frame = {
            "action": "send_message",
            "receiver_id": self._accounts[1].user_id,
            "content": f"{self.sent:08d} {self._padding}",
            "message_id_by_client": self._first_client_id + self.sent,
            "timestamp": time.time_ns() // 1_000_000,
        }
        self.sent += 1
        self._arrived.append(0)
        self._steps.append(0)
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
                self.errors.append(text)
                continue
            number = frame.get("message_id_by_client", -1) - self._first_client_id
            if not 0 <= number < self.sent:
                continue  # of an earlier run with the same accounts
            if action == "message_received":
                self._note(self._latencies.acknowledged, number, now)
            elif action == "message_delivered":
                self._take_delivered(number, now)

    def _take_delivered(self, number: int, now: float) -> None:
        if self._steps[number]:
            return
        self._steps[number] = 1
        self.delivered += 1
        self.delivered_in_span += self._clock.covers(now)
        self._note(self._latencies.delivered, number, now)
        if self._refills and now < self._clock.ends_at:
            self.send()

    def _take_receiver_frames(self, receiver: LoadConnection, texts: list[bytes]) -> None:
        now = time.perf_counter()
        for text in texts:
            frame = orjson.loads(text)
            if frame["action"] != "incoming_message":
                continue
            number = int(frame["content"][:8])
            # Beyond our own: left in the inbox by an earlier run with the same accounts.
            if number < self.sent and not self._arrived[number]:
                self._arrived[number] = 1
                self._note(self._latencies.arrived, number, now)
            confirmation = b'{"action":"message_delivered","message_id":"%b","timestamp":%d}'
            receiver.send_text(confirmation % (frame["message_id"].encode(), time.time_ns() // 1_000_000))

    def _note(self, latencies: list[float], number: int, now: float) -> None:
        sent_at = self._sent_at[number]
        if self._clock.covers(sent_at):
            latencies.append(now - sent_at)
