"""The channel layer between processes: publish and subscribe on the cache's server, which may lose what passes."""

import asyncio
import hashlib
from collections import deque
from typing import Any

import msgpack

from tests.simulation.calls import Server
from tests.simulation.processes import WORLD, Process, current_process

LATENCY = 0.0002
LONGEST_DELAY = 1.5


class Subscription:
    """One process's ear."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.waiting: deque[bytes] = deque()
        self.arrived = asyncio.Event()
        self.is_deaf = False


class Bus:
    """All channels. ``drops`` and ``delays`` are faults; otherwise messages of a channel keep their order."""

    def __init__(self, seed: int) -> None:
        self.drops = False
        self.delays = False
        self._seed = seed
        self._number = 0
        self._subscriptions: dict[str, Subscription] = {}

    def publish(self, channel: str, message: bytes) -> int:
        """Hand a message to who listens. Returns how many do."""
        subscription = self._subscriptions.get(channel)
        if subscription is None or subscription.process.is_dead or subscription.is_deaf:
            return 0
        self._number += 1
        digest = hashlib.blake2b(f"bus {self._seed} {self._number}".encode(), digest_size=4).digest()
        fraction = int.from_bytes(digest) / 2**32
        if self.drops and fraction < 0.5:
            return 1
        if self.delays and fraction < 0.5:
            self._send(2 * fraction * LONGEST_DELAY, subscription, message)
        else:
            self._send(LATENCY, subscription, message)
        return 1

    def subscribe(self, channel: str) -> Subscription:
        """Listen to a channel from now on."""
        process = current_process.get()
        assert process is not None
        subscription = self._subscriptions[channel] = Subscription(process)
        return subscription

    def cut(self) -> None:
        """The server ended: nobody hears anything until ``listen_again``; what came before stays."""
        for subscription in self._subscriptions.values():
            subscription.is_deaf = True

    def listen_again(self) -> None:
        """The server is back, and everybody has subscribed anew."""
        for subscription in self._subscriptions.values():
            subscription.is_deaf = False

    def _send(self, seconds: float, subscription: Subscription, message: bytes) -> None:
        asyncio.get_running_loop().call_later(seconds, self._arrive, subscription, message, context=WORLD)

    @staticmethod
    def _arrive(subscription: Subscription, message: bytes) -> None:
        if not subscription.is_deaf:
            subscription.waiting.append(message)
            subscription.arrived.set()


class Layer:
    """What ``get_channel_layer`` gives: the part of channels-redis that the product uses."""

    def __init__(self, bus: Bus, server: Server, exchange: Any) -> None:
        self._bus = bus
        self._exchange = exchange
        self._mine: dict[tuple[Process | None, str], Subscription] = {}

    @staticmethod
    def serialize(message: dict[str, Any]) -> bytes:
        """As channels-redis packs it: tuples come back as lists."""
        packed: bytes = msgpack.packb(message)
        return packed

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Publish. Raises ConnectionError."""
        await self._exchange([("PUBLISH", channel, self.serialize(message))])

    async def receive(self, channel: str) -> dict[str, Any]:
        """The next message. Raises ConnectionError where it cannot subscribe."""
        key = (current_process.get(), channel)
        subscription = self._mine.get(key)
        if subscription is None:
            await self._exchange([("PING",)])
            subscription = self._mine[key] = self._bus.subscribe(channel)
        while not subscription.waiting:
            subscription.arrived.clear()
            await subscription.arrived.wait()
        message: dict[str, Any] = msgpack.unpackb(subscription.waiting.popleft())
        return message

    async def flush(self) -> None:
        """Forget the subscriptions of this process."""
        process = current_process.get()
        for key in [key for key in self._mine if key[0] is process]:
            del self._mine[key]
