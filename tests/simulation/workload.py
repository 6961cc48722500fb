"""The people of a simulated run, and how they live through its plan."""

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Protocol

from tests.client.chat_client import FINAL_CLOSE_CODES
from tests.client.history import History
from tests.client.outgoing import epoch_ms
from tests.faults.checker import Block
from tests.faults.checker.events import Events
from tests.faults.checker.promises import find_undelivered
from tests.simulation.client import Connector, SimClient
from tests.simulation.mischief import Forgetting, Reuses, confirm_as_stranger
from tests.simulation.plan import GROUP, Act, Device, Operation, Plan
from tests.simulation.trace import Trace

DAYS_OF_HISTORY = 90
LOOK_SECONDS = 0.5
CALL_RETRY_SECONDS = 1.0
SEND_PATIENCE = 60.0
REPLACED = 4409
BLOCK_LAG_SECONDS = 10.0
"""For so long a gateway may refuse by what the database said before the block was lifted."""


class Site(Connector, Protocol):
    """What people can do beside chatting; each call may raise OSError, and may have been obeyed then."""

    async def log_in(self, device: Device) -> None:
        """One more device of its user."""

    async def log_out(self, device: Device) -> None:
        """The device is no more."""

    async def block(self, user_id: str, peer_id: str) -> None:
        """`user_id` takes nothing more from `peer_id`."""

    async def unblock(self, user_id: str, peer_id: str) -> None:
        """`user_id` takes messages from `peer_id` again."""

    async def keep_history(self, user_id: str, days: int) -> None:
        """From now on messages are kept for so many days."""

    async def leave_group(self, user_id: str) -> None:
        """The user is no member any more."""

    async def remove_member(self, user_id: str) -> None:
        """The group's owner removes somebody."""

    async def add_member(self, user_id: str) -> None:
        """The group's owner adds somebody."""


class Workload:
    """Every device of a run. Contents are unique, as the checker asks, and the same however the plan is shortened."""

    def __init__(self, plan: Plan, site: Site, trace: Trace) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.blocks: list[Block] = []
        self._plan = plan
        self._site = site
        self._trace = trace
        self._present: dict[Device, SimClient] = {}
        self._former: list[SimClient] = []
        self._leaving: set[Device] = set()
        self._jobs: dict[asyncio.Task[None], None] = {}
        self._blocks: dict[tuple[str, str], int] = {}
        self._numbers: Counter[str] = Counter()
        self._reuses: dict[SimClient, Reuses] = {}
        self._forgetting: dict[SimClient, Forgetting] = {}
        self._seen: set[str] = set()  # devices that have begun to log in
        for person in plan.people:
            for device in person.devices:
                self._present[device] = self._make_client(device)

    @property
    def clients(self) -> list[SimClient]:
        """Every device there ever was."""
        return [*self._former, *self._present.values()]

    @property
    def histories(self) -> list[History]:
        """What each device did and saw."""
        return [client.history for client in self.clients]

    async def live(self) -> None:
        """Everybody goes online, then the operations happen; returns when the last has ended."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        for client in self._present.values():
            client.go_online()
        watching = asyncio.create_task(self._watch())
        try:
            for operation in sorted(self._plan.operations, key=lambda o: o.at_ms):
                await asyncio.sleep(max(0.0, began_at + operation.at_ms / 1000 - loop.time()))
                self._perform(operation)
            while self._jobs:
                await asyncio.wait(list(self._jobs))
        finally:
            watching.cancel()

    async def come_home(self, patience: float = 120.0) -> None:
        """Bring every device online and wait for every ✓✓, or until nothing has moved for `patience` seconds."""
        watching = asyncio.create_task(self._watch())
        try:
            for client in self._present.values():
                client.wake_up()
                client.go_online()
            await self._wait_while_moving(lambda: sum(not c.is_drained for c in self._present.values()), patience)
            await self._wait_while_moving(self._count_in_flight, patience)
        finally:
            watching.cancel()

    async def wait_for_receipts(self, seconds: float) -> None:
        """Until each device knows of the ✓✓ of its user's others, or ``seconds`` have passed. Inboxes hold no receipts
        for long: one that was pushed with a gap before it comes with a drain, when all else is at rest.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline and any(find_undelivered(Events(self.histories))):
            await asyncio.sleep(LOOK_SECONDS)

    async def go_offline(self) -> None:
        """Every connection ends."""
        for reuses in self._reuses.values():
            self.failures += reuses.find_wrong()
        for forgetting in self._forgetting.values():
            self.failures += forgetting.find_wrong()
        for client in self._present.values():
            self._note_failure(client)
            client.wake_up()
            await self._stop(client)

    # --- Operations -----------------------------------------------------------------------------------------------

    def _perform(self, operation: Operation) -> None:
        client = self._present.get(operation.device)
        if operation.act is Act.LOG_IN:
            if client is None and operation.device not in self._leaving:
                self._begin(self._log_in(operation.device))
        elif client is None or operation.device in self._leaving:
            self.counts["operations of a device that is not there"] += 1
            return
        else:
            self._perform_on(client, operation)
        self.counts[f"operation {operation.act}"] += 1

    def _perform_on(self, client: SimClient, operation: Operation) -> None:  # noqa: C901 - one line for each act
        peer = operation.peer
        match operation.act:
            case Act.SEND:
                self._send(client, operation)
            case Act.RETRY:
                self._retry(client, peer)
            case Act.REUSE:
                self.counts["client ids used again"] += self._reuses[client].reuse()
            case Act.STRANGER:
                self.counts["messages of others confirmed"] += confirm_as_stranger(client, self.clients)
            case Act.READ:
                self._read(client, peer)
            case Act.CUT:
                client.cut()
            case Act.TAKE_OVER:
                client.abandon()
            case Act.OFFLINE:
                self._begin(self._be_offline(client, operation.duration_ms))
            case Act.SLEEP:
                self._begin(self._be_asleep(client, operation.duration_ms))
            case Act.LOG_OUT:
                self._begin(self._log_out(client))
            case Act.BLOCK:
                self._begin(self._block(client.user_id, peer, operation.duration_ms))
            case Act.KEEP_HISTORY:
                self._begin(self._keep_history(client.user_id, DAYS_OF_HISTORY))
            case Act.KEEP_NOTHING:
                self._begin(self._keep_history(client.user_id, 0))
            case Act.GROUP_SEND:
                self._send(client, replace(operation, peer=GROUP))
            case Act.GROUP_LEAVE:
                self._begin(self._be_outside(client.user_id, self._site.leave_group, operation.duration_ms))
            case Act.GROUP_REMOVE:
                self._begin(self._be_outside(peer, self._site.remove_member, operation.duration_ms))
            case Act.GROUP_FORGET:
                self._begin(self._fail_to_store(client, operation.duration_ms))
            case Act.TYPING:
                client.send_frame({"action": "typing", "receiver_id": peer, "state": "start"})
            case Act.OPEN_CHAT:
                client.send_frame({"action": "open_chat", "user_id": peer})

    def _send(self, client: SimClient, operation: Operation) -> None:
        for _ in range(operation.count):
            named = f"{client.device.device_id[-4:]}-{operation.at_ms}"
            self._numbers[named] += 1
            client.send(operation.peer, f"{named}.{self._numbers[named]}")

    def _retry(self, client: SimClient, peer: str) -> None:
        mine = reversed(client.history.sent.values())
        newest = next((m for m in mine if m.receiver_id == peer and not m.is_refused), None)
        if newest is not None:
            client.send_again(newest)

    def _read(self, client: SimClient, peer: str) -> None:
        shown = reversed(client.history.shown.values())
        newest = next((m for m in shown if m.sender_id == peer), None)
        if newest is not None:
            frame = {"action": "message_read", "message_id": newest.message_id, "receiver_id": peer}
            client.send_frame(frame | {"timestamp": epoch_ms()})

    async def _be_offline(self, client: SimClient, duration_ms: int) -> None:
        await self._stop(client)
        await asyncio.sleep(duration_ms / 1000)
        if client.device in self._present:
            client.go_online()

    async def _be_asleep(self, client: SimClient, duration_ms: int) -> None:
        client.fall_asleep()
        await asyncio.sleep(duration_ms / 1000)
        client.wake_up()

    async def _fail_to_store(self, client: SimClient, duration_ms: int) -> None:
        self._forgetting[client].begin()
        await asyncio.sleep(duration_ms / 1000)
        client.cut()

    async def _log_in(self, device: Device) -> None:
        self._seen.add(device.device_id)
        self._leaving.add(device)  # it is neither here nor gone
        await self._call(lambda: self._site.log_in(device))
        self._leaving.discard(device)
        client = self._make_client(device)
        client.history.logged_in_at = asyncio.get_running_loop().time()
        self._present[device] = client
        client.go_online()

    async def _log_out(self, client: SimClient) -> None:
        mine = [d for d in self._present if d.user_id == client.user_id and d not in self._leaving]
        if client.device not in mine or (len(mine) < 2 and not self._will_log_in(client.user_id)):
            return
        self._leaving.add(client.device)
        await self._wait_while_moving(
            lambda: sum(not (m.is_acknowledged or m.is_refused) for m in client.history.sent.values()), SEND_PATIENCE
        )
        if all(m.is_acknowledged or m.is_refused for m in client.history.sent.values()):
            await self._call(lambda: self._site.log_out(client.device))
            client.history.logged_out_at = asyncio.get_running_loop().time()
            del self._present[client.device]
            self._former.append(client)
            self._note_failure(client)
            await self._stop(client)
            self.counts["logged out"] += 1
        else:
            self._leaving.discard(client.device)

    def _will_log_in(self, user_id: str) -> bool:
        """Whether a new device of a user is still to come."""
        return any(
            operation.act is Act.LOG_IN
            and operation.device.user_id == user_id
            and operation.device.device_id not in self._seen
            for operation in self._plan.operations
        )

    async def _block(self, user_id: str, peer: str, duration_ms: int) -> None:
        pair = (user_id, peer)
        self._blocks[pair] = self._blocks.get(pair, 0) + 1
        now = asyncio.get_running_loop().time
        asked_at = now()
        self.blocks.append(Block(owner_id=user_id, person_id=peer, asked_at=asked_at, since=math.inf))
        await self._call(lambda: self._site.block(user_id, peer))
        self.blocks.append(Block(owner_id=user_id, person_id=peer, asked_at=asked_at, since=now()))
        await asyncio.sleep(duration_ms / 1000)
        self._blocks[pair] -= 1
        if not self._blocks[pair]:
            until = now()
            await self._call(lambda: self._site.unblock(user_id, peer))
            # Whoever else has blocked meanwhile is unblocked with this one.
            self.blocks = [
                one.ends(until, now() + BLOCK_LAG_SECONDS)
                if (one.owner_id, one.person_id) == pair and one.until == math.inf
                else one
                for one in self.blocks
            ]

    async def _be_outside(self, user_id: str, end: Callable[[str], Coroutine[None, None, None]], ms: int) -> None:
        """Be no member for a while. The owner stays."""
        if self._plan.members and user_id != self._plan.members[0]:
            await self._call(lambda: end(user_id))
            await asyncio.sleep(ms / 1000)
            await self._call(lambda: self._site.add_member(user_id))

    async def _keep_history(self, user_id: str, days: int) -> None:
        await self._call(lambda: self._site.keep_history(user_id, days))

    # --- Under the operations -------------------------------------------------------------------------------------

    def _make_client(self, device: Device) -> SimClient:
        client = SimClient(self._site, device, self._trace)
        self._reuses[client] = Reuses(client)
        self._forgetting[client] = Forgetting(client)
        return client

    def _begin(self, doing: Coroutine[None, None, None]) -> None:
        job = asyncio.create_task(doing)
        self._jobs[job] = None
        job.add_done_callback(self._end)

    def _end(self, job: asyncio.Task[None]) -> None:
        del self._jobs[job]
        if not job.cancelled() and (error := job.exception()) is not None:
            self.failures.append(f"an operation: {error!r}")

    async def _call(self, ask: Callable[[], Coroutine[None, None, None]]) -> None:
        """Ask again until there is an answer: the run heals everything in the end."""
        for _ in itertools.count():
            try:
                await ask()
            except OSError:
                self.counts["calls asked again"] += 1
                await asyncio.sleep(CALL_RETRY_SECONDS)
            else:
                return

    async def _stop(self, client: SimClient) -> None:
        """Go offline; a frame that broke the contract is a finding, not the end of the run."""
        if client.failure is None:
            await client.stop()

    async def _watch(self) -> None:
        """Look after devices that stay away, for ever: nobody shuts out a device that is logged in."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for device, client in self._present.items():
                if client.has_ended and device not in self._leaving:
                    self._bring_back(client)

    def _bring_back(self, client: SimClient) -> None:
        self._note_failure(client)
        code = client.history.closes[-1].code if client.history.closes else 0
        if code in FINAL_CLOSE_CODES - {REPLACED}:
            self._fail(f"{client.device.device_id} is logged in and was shut out with {code}")
        self.counts[f"came back after {code}"] += 1
        client.go_online()

    def _note_failure(self, client: SimClient) -> None:
        if client.failure is not None:
            self._fail(f"{client.device.device_id} met a frame that breaks the contract: {client.failure!r}")

    def _fail(self, what: str) -> None:
        if what not in self.failures:
            self.failures.append(what)

    def _count_in_flight(self) -> int:
        return sum(len(client.history.in_flight) for client in self._present.values())

    async def _wait_while_moving(self, count: Callable[[], int], patience: float) -> None:
        """Until `count` is 0, or has not changed for `patience` seconds."""
        loop = asyncio.get_running_loop()
        last, since = count(), loop.time()
        while (now := count()) > 0:
            if now != last:
                last, since = now, loop.time()
            elif loop.time() - since > patience:
                return
            await asyncio.sleep(LOOK_SECONDS)
