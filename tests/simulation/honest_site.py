"""A chat site in memory that keeps every promise, unless told not to: what clients and workload are tried on."""

import asyncio
import itertools
from collections import defaultdict
from typing import Any

from tests.client.outgoing import epoch_ms
from tests.simulation.closed import Closed
from tests.simulation.plan import Device, Plan

Frame = dict[str, Any]
FORGOTTEN = Closed(1006)


class HonestSite:
    """One log, an inbox for each device, and the dedup of retries. `loses` takes a content away after its ✓;
    `compares` False gives ✓ for other words under a client id that was used before.
    """

    def __init__(self, plan: Plan, *, loses: bool = False, compares: bool = True) -> None:
        self.loses = loses
        self.compares = compares
        self.blocked: set[tuple[str, str]] = set()
        self.history_days: dict[str, int] = {}
        self.inboxes: dict[Device, dict[str, Frame]] = {d: {} for person in plan.people for d in person.devices}
        self._lines: dict[Device, HonestSocket] = {}
        self._sequences = itertools.count(1)
        self._received: dict[tuple[Device, Any], Frame] = {}
        self._words: dict[tuple[Device, Any], str] = {}
        self._senders: dict[str, tuple[Device, Any]] = {}
        self._receipts: dict[Device, dict[str, Frame]] = defaultdict(dict)

    async def connect(self, device: Device, gateway: int | None = None) -> "HonestSocket":
        """A connection of a device; the one before it is replaced."""
        if (older := self._lines.get(device)) is not None:
            older.end(Closed(4409, "replaced"))
        line = HonestSocket(self, device)
        if device not in self.inboxes:
            line.end(Closed(4401))
            return line
        self._lines[device] = line
        line.push({"action": "connected", "protocol": 1, "heartbeat_interval": 30, "timestamp": epoch_ms()})
        waiting = sorted(self.inboxes[device].values(), key=lambda frame: int(frame["sequence"]))
        for frame in [*waiting, *self._receipts[device].values()]:
            line.push(frame)
        line.push({"action": "inbox_drained", "count": len(waiting)})
        return line

    async def log_in(self, device: Device) -> None:
        """One more device."""
        self.inboxes.setdefault(device, {})

    async def log_out(self, device: Device) -> None:
        """One device less."""
        self.inboxes.pop(device, None)
        if (line := self._lines.pop(device, None)) is not None:
            line.end(Closed(4401))

    async def block(self, user_id: str, peer_id: str) -> None:
        """Refuse what the peer sends."""
        self.blocked.add((user_id, peer_id))

    async def unblock(self, user_id: str, peer_id: str) -> None:
        """Take it again."""
        self.blocked.discard((user_id, peer_id))

    async def leave_group(self, user_id: str) -> None:
        """There is no group here."""

    async def remove_member(self, user_id: str) -> None:
        """There is no group here."""

    async def add_member(self, user_id: str) -> None:
        """There is no group here."""

    async def keep_history(self, user_id: str, days: int) -> None:
        """Remember the wish, and nothing more."""
        self.history_days[user_id] = days

    def take(self, device: Device, frame: Frame) -> None:
        """One frame of a device."""
        match frame["action"]:
            case "send_message":
                self._accept(device, frame)
            case "message_delivered":
                for message_id in frame.get("message_ids", [frame.get("message_id")]):
                    self._confirm(device, message_id)
            case "heartbeat":
                self._push(device, {"action": "heartbeat", "timestamp": epoch_ms()})

    def drop(self, device: Device, line: "HonestSocket") -> None:
        """A connection has gone."""
        if self._lines.get(device) is line:
            del self._lines[device]

    def _accept(self, device: Device, frame: Frame) -> None:
        client_id = frame["message_id_by_client"]
        if (frame["receiver_id"], device.user_id) in self.blocked:
            refusal = {"action": "error", "code": "forbidden", "message": "blocked", "message_id_by_client": client_id}
            self._push(device, refusal)
            return
        known = self._words.setdefault((device, client_id), frame["content"])
        if self.compares and known != frame["content"]:
            refusal = {"action": "error", "code": "conflict", "message": known, "message_id_by_client": client_id}
            self._push(device, refusal)
            return
        if (device, client_id) not in self._received:
            self._store(device, frame)
        self._push(device, self._received[device, client_id])

    def _store(self, device: Device, frame: Frame) -> None:
        sequence = next(self._sequences)
        message_id, client_id = f"msg-{sequence:016x}", frame["message_id_by_client"]
        common = {"message_id": message_id, "sequence": sequence, "timestamp": epoch_ms()}
        self._received[device, client_id] = {"action": "message_received", "message_id_by_client": client_id} | common
        self._senders[message_id] = (device, client_id)
        pushed = {"action": "incoming_message", "sender_id": device.user_id, "content": frame["content"]} | common
        if self.loses:
            return
        for other in list(self.inboxes):
            if other.user_id == frame["receiver_id"]:
                self._put(other, pushed)
            elif other.user_id == device.user_id and other != device:
                self._put(other, pushed | {"receiver_id": frame["receiver_id"]})

    def _put(self, device: Device, frame: Frame) -> None:
        self.inboxes[device][frame["message_id"]] = frame
        self._push(device, frame)

    def _confirm(self, device: Device, message_id: str) -> None:
        if device not in self.inboxes or self.inboxes[device].pop(message_id, None) is None:
            return
        sender, client_id = self._senders[message_id]
        if sender.user_id == device.user_id:
            return
        for other in list(self.inboxes):
            if other.user_id == sender.user_id:
                told = {"action": "message_delivered", "message_id": message_id, "timestamp": epoch_ms()}
                own = {"message_id_by_client": client_id} if other == sender else {}
                self._receipts[other][message_id] = told | own
                self._push(other, self._receipts[other][message_id])

    def _push(self, device: Device, frame: Frame) -> None:
        if (line := self._lines.get(device)) is not None:
            line.push(frame)


class HonestSocket:
    """A connection to the honest site."""

    def __init__(self, site: HonestSite, device: Device) -> None:
        self._site = site
        self._device = device
        self._frames: asyncio.Queue[Frame | Closed] = asyncio.Queue()
        self._closed: Closed | None = None

    def push(self, frame: Frame) -> None:
        """A frame from the site."""
        self._frames.put_nowait(frame)

    def end(self, closed: Closed) -> None:
        """The site or the client ends it."""
        if self._closed is None:
            self._closed = closed
            self._frames.put_nowait(closed)

    async def send(self, frame: Frame) -> None:
        """A frame to the site. Raises Closed."""
        if self._closed is not None:
            raise self._closed
        self._site.take(self._device, frame)

    async def receive(self) -> Frame:
        """The next frame. Raises Closed."""
        if self._closed is not None and self._frames.empty():
            raise self._closed
        found = await self._frames.get()
        if isinstance(found, Closed):
            raise found
        return found

    def close(self, code: int = 1000) -> None:
        """Say goodbye."""
        self._site.drop(self._device, self)
        self.end(Closed(code))

    def cut(self) -> None:
        """Break it."""
        self._site.drop(self._device, self)
        self.end(FORGOTTEN)

    def abandon(self) -> None:
        """Forget it: the site goes on writing to it."""
        self.end(FORGOTTEN)
