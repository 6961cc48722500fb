"""A whole site in one thread under virtual time: the product's own code between servers and sockets that are models."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.client.history import History
from tests.faults.checker import Block
from tests.simulation.plan import BUS, CACHE, DATABASE, GROUP, LOG, SOCKETS, STORE, CallFault, Device, Plan
from tests.simulation.site import make_site
from tests.simulation.trace import Trace

make_site()

from apps.groups.kinds import Kind  # noqa: E402
from apps.observability.metrics import INBOX_REBUILDS  # noqa: E402
from tests.simulation.actors import Actor, GatewayActor, RelayActor, WorkerActor  # noqa: E402
from tests.simulation.broker import Broker  # noqa: E402
from tests.simulation.brokers import PartitionedLog  # noqa: E402
from tests.simulation.bus import Bus, Layer  # noqa: E402
from tests.simulation.calls import Calls, Server  # noqa: E402
from tests.simulation.databases import SimulatedDatabase  # noqa: E402
from tests.simulation.hosts import Host, settle  # noqa: E402
from tests.simulation.nemesis import Nemesis  # noqa: E402
from tests.simulation.people import People  # noqa: E402
from tests.simulation.remains import Remains  # noqa: E402
from tests.simulation.seams import simulated_world  # noqa: E402
from tests.simulation.sockets import Listener, Network, SimSocket, choose_gateway  # noqa: E402
from tests.simulation.valkey import SimulatedValkey  # noqa: E402
from tests.simulation.variation import draw_clock_errors, has_partitioned_log  # noqa: E402
from tests.simulation.virtual_time import Clock, Stalled, VirtualLoop, virtual_time  # noqa: E402
from tests.simulation.workload import Workload  # noqa: E402

BUS_SECONDS = 5.0
BOOT_SECONDS = 1.0
REST_SECONDS = 120.0
ROUNDS_TO_END = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EndState:
    """What a run came to: the devices' histories, what the servers still hold, and what happened how often."""

    histories: Sequence[History]
    document: Mapping[str, Any] | None
    blocks: Sequence[Block]
    failures: Sequence[str]
    counts: Counter[str]
    call_faults: Sequence[CallFault]


class World:
    """One run of one plan."""

    def __init__(self, plan: Plan, trace: Trace) -> None:
        self.plan = plan
        self.trace = trace
        self.clock = Clock()
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        trace.clock = self.clock.monotonic
        self._loop = VirtualLoop(self.clock)
        self._loop.set_exception_handler(self._note_error)
        with virtual_time(self.clock):
            self._make_servers()
        self._people = People()
        self._attempts: Counter[Device] = Counter()
        self.listeners = [Listener(Network(name), trace) for name in SOCKETS]
        actors: dict[str, Actor] = {
            "gateway 0": GatewayActor(self.listeners[0]),
            "gateway 1": GatewayActor(self.listeners[1]),
            "relay 0": RelayActor("relay 0", self.failures.append),
            "relay 1": RelayActor("relay 1", self.failures.append),
            "worker": WorkerActor(self.broker, self._count),
        }
        clocks = draw_clock_errors(plan.seed)
        self.hosts = {
            name: Host(name, actor, trace, self._loop, self._count, clocks[name]) for name, actor in actors.items()
        }

    def _make_servers(self) -> None:
        self.calls = Calls(self.plan, self.trace)
        self.bus = Bus(self.plan.seed)
        self.valkeys = {CACHE: SimulatedValkey(CACHE, self.calls, self.bus, seed=self.plan.seed)}
        self.brokers: PartitionedLog | None = None
        if has_partitioned_log(self.plan.seed):
            self.brokers = PartitionedLog(LOG, self.calls, self._count)
        else:
            self.valkeys[LOG] = SimulatedValkey(LOG, self.calls, self.bus, seed=self.plan.seed)
        self.databases = {
            "messages": SimulatedDatabase("messages", STORE, self.calls),
            "default": SimulatedDatabase("default", DATABASE, self.calls),
        }
        cache = self.valkeys[CACHE]
        self.broker = Broker(cache, self.calls)
        self._layer = Layer(self.bus, cache, lambda commands: cache.exchange(commands, BUS_SECONDS))
        self.servers: dict[str, Server] = {
            LOG: self.brokers or self.valkeys[LOG],
            CACHE: cache,
            STORE: self.databases["messages"],
            DATABASE: self.databases["default"],
            BUS: cache,
        }

    def run(self) -> EndState:
        """Live through the plan. Raises nothing: a run that cannot go on is a failure of its own."""
        with simulated_world(
            clock=self.clock,
            seed=self.plan.seed,
            servers=self.valkeys,
            brokers=self.brokers,
            databases=self.databases,
            broker=self.broker,
            layer=self._layer,
            trace=self.trace,
            counts=self.counts,
        ):
            document: Mapping[str, Any] | None = None
            rebuilt = INBOX_REBUILDS._value.get()
            workload = Workload(self.plan, self, self.trace)
            try:
                document = self._loop.run_until_complete(self._live(workload))
            except Stalled as error:
                self.failures.append(f"the run stalled: {error}")
            finally:
                self._end_everything()
        self.counts["rebuild"] = int(INBOX_REBUILDS._value.get() - rebuilt)
        self.counts["duplicate record dropped"] = sum(row["repeated"] for row in document["rows"]) if document else 0
        self.counts.update(workload.counts)
        self.counts.update(self.calls.counts)
        self.counts.update(f"closed with {close.code}" for history in workload.histories for close in history.closes)
        return EndState(
            histories=workload.histories,
            document=document,
            blocks=workload.blocks,
            failures=[*self.failures, *workload.failures],
            counts=self.counts,
            call_faults=self.calls.struck,
        )

    async def _live(self, workload: Workload) -> Mapping[str, Any]:
        self.calls.strikes = False
        await self._people.sign_up(self.plan)
        await settle(self.hosts)
        await asyncio.sleep(BOOT_SECONDS)
        await self._make_group()
        self.calls.strikes = True
        if self.brokers is not None:
            self._watching = asyncio.create_task(self.brokers.watch_members())
        nemesis = asyncio.create_task(Nemesis(self, self.plan).run())
        await workload.live()
        await nemesis
        self.calls.strikes = False
        await settle(self.hosts)
        await workload.come_home()
        remains = Remains(
            self.valkeys[CACHE],
            self.brokers or self.valkeys[LOG],
            self.databases["messages"],
            self.databases["default"],
        )
        await remains.wait_for_rest(REST_SECONDS)
        await workload.wait_for_receipts(REST_SECONDS)
        await workload.go_offline()
        return remains.to_document()

    def _end_everything(self) -> None:
        """Whatever still goes on is thrown away, while the world still stands."""
        with contextlib.suppress(Stalled):
            self._loop.run_until_complete(self._switch_off())
        for _ in range(ROUNDS_TO_END):
            left = [task for task, _ in self._loop.tasks if not task.done()]
            for task, process in self._loop.tasks:
                task.cancel()
                if process is not None:
                    process.revive(self._loop)
            with contextlib.suppress(Stalled):
                self._loop.run_until_complete(asyncio.wait(left, timeout=1.0) if left else asyncio.sleep(0))
        for database in self.databases.values():
            database.close()
        self._loop.tasks.clear()
        self._loop.close()

    async def _switch_off(self) -> None:
        for server in dict.fromkeys(self.servers.values()):
            server.is_down = True
            server.end()
        for host in self.hosts.values():
            host.kill()

    # -- what people can do ---------------------------------------------------------------------------------------

    async def connect(self, device: Device, gateway: int | None = None) -> SimSocket:
        """Connect a device, by the load balancer or to one gateway. Raises OSError."""
        attempt = self._attempts[device]
        self._attempts[device] += 1
        chosen = choose_gateway(device, attempt, len(self.listeners)) if gateway is None else gateway
        self.trace.note(device.device_id, f"connects to gateway {chosen}")
        return await self.listeners[chosen].connect(device)

    async def log_in(self, device: Device) -> None:
        """See workload.Site."""
        await self._people.log_in(device)

    async def log_out(self, device: Device) -> None:
        """See workload.Site."""
        await self._people.log_out(device)

    async def block(self, user_id: str, peer_id: str) -> None:
        """See workload.Site."""
        await self._people.block(user_id, peer_id)

    async def unblock(self, user_id: str, peer_id: str) -> None:
        """See workload.Site."""
        await self._people.unblock(user_id, peer_id)

    async def keep_history(self, user_id: str, days: int) -> None:
        """See workload.Site."""
        await self._people.keep_history(user_id, days)

    async def leave_group(self, user_id: str) -> None:
        """See workload.Site."""
        await self._people.change_group(Kind.LEFT, GROUP, by=user_id)

    async def remove_member(self, user_id: str) -> None:
        """See workload.Site."""
        await self._people.change_group(Kind.REMOVED, GROUP, by=self.plan.members[0], user_ids=[user_id])

    async def add_member(self, user_id: str) -> None:
        """See workload.Site."""
        await self._people.change_group(Kind.JOINED, GROUP, by=self.plan.members[0], user_ids=[user_id])

    async def _make_group(self) -> None:
        if self.plan.members:
            owner, *members = self.plan.members
            details = {"name": "everybody"}
            await self._people.change_group(Kind.CREATED, GROUP, by=owner, user_ids=members, details=details)

    # -- beneath --------------------------------------------------------------------------------------------------

    def _count(self, name: str) -> None:
        self.counts[name] += 1

    def _note_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")
