"""The product's processes, each started as its command starts it."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Protocol

import redis

from apps.connections.bus import BusSender
from apps.delivery import tasks
from apps.delivery.deliver import deliver_changes
from apps.gateway.consumer import ChatConsumer
from apps.gateway.process import GatewayProcess
from apps.inbox.inbox import drop_epoch
from apps.messagelog.generation import set_up_log
from apps.messagelog.log import get_message_log
from apps.messagestore.store import get_message_store
from apps.relay.delivery_lane import DeliveryLane
from apps.relay.group_hints import GroupHinter
from apps.relay.pipeline import RelayPipeline
from apps.relay.runner import RelayRunner
from tests.simulation.broker import Broker, Job
from tests.simulation.processes import Process
from tests.simulation.sockets import Listener
from tests.simulation.virtual_time import run_blocking

TASK_SECONDS = 50.0
BROKER_RETRY_SECONDS = 1.5
WORKER_CHILDREN = 2
SUPERVISOR_SECONDS = 10.0
"""Who has not ended by then is killed."""

TASKS: dict[str, Callable[..., object]] = {
    "delivery.drain": tasks.drain_inboxes.run,
    "delivery.drain_gaps": tasks.drain_gaps.run,
    "delivery.sweep": tasks.sweep.run,
    "delivery.purge": tasks.purge.run,
    "delivery.erase": tasks.erase.run,
    "delivery.forget_device": tasks.forget_device.run,
    "groups.fan_out": tasks.fan_out_groups.run,
    "groups.count": tasks.count_groups.run,
    "groups.sweep": tasks.sweep_groups.run,
}
BEAT = (("delivery.sweep", 10.0), ("groups.sweep", 10.0), ("delivery.purge", 60.0), ("delivery.erase", 60.0))


class Actor(Protocol):
    """One place where a process runs, over all its lives."""

    def begin(self, process: Process) -> None:
        """Start the command in a new process."""

    async def end(self, process: Process) -> None:
        """Ask it to end in good order, and wait until it has."""


class GatewayActor:
    """``manage.py gateway``."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._gateway: GatewayProcess | None = None

    def begin(self, process: Process) -> None:
        """See Actor."""
        process.start(self._run(process))

    async def _run(self, process: Process) -> None:
        gateway = GatewayProcess()
        gateway.on_failure = process.kill  # type: ignore[method-assign]
        gateway.start()
        process.data["gateway"] = self._gateway = gateway
        self._listener.open(process, ChatConsumer())
        process.on_death(lambda: self._stop_listening(process))

    def _stop_listening(self, process: Process) -> None:
        if self._listener.process is process:
            self._listener.close()

    async def end(self, process: Process) -> None:
        """See Actor."""
        self._listener.close()
        gateway = process.data.get("gateway")
        if gateway is not None:
            await asyncio.wait([process.start(gateway.stop())], timeout=SUPERVISOR_SECONDS)


class RelayActor:
    """``manage.py relay``."""

    def __init__(self, name: str, fail: Callable[[str], object]) -> None:
        self._name = name
        self._fail = fail
        self._lives = itertools.count(1)

    def begin(self, process: Process) -> None:
        """See Actor."""
        reader_id = f"{self._name.replace(' ', '-')}-{next(self._lives)}"
        process.data["running"] = task = process.start(run_blocking(self._run, process, reader_id))
        task.add_done_callback(lambda done: self._on_end(process, done))

    def _on_end(self, process: Process, done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self._fail(f"{self._name} crashed: {error!r}")
        process.kill()

    @staticmethod
    def _run(process: Process, reader_id: str) -> None:
        bus = BusSender()
        runner = RelayRunner(
            log=get_message_log(),
            pipeline=RelayPipeline(get_message_store()),
            lane=DeliveryLane(
                deliver=lambda changes: deliver_changes(changes, bus),
                give_up=lambda change: drop_epoch(change.user_id, change.device_id),
            ),
            reader_id=reader_id,
            set_up_log=set_up_log,
            hinter=GroupHinter(bus),
        )
        process.data["runner"] = runner
        runner.run()

    async def end(self, process: Process) -> None:
        """See Actor."""
        runner, running = process.data.get("runner"), process.data["running"]
        if runner is not None:
            runner.stop()
            await asyncio.wait([running], timeout=SUPERVISOR_SECONDS)


class WorkerActor:
    """``celery worker -B`` with some children."""

    def __init__(self, broker: Broker, count: Callable[[str], object]) -> None:
        self._broker = broker
        self._count = count

    def begin(self, process: Process) -> None:
        """See Actor."""
        process.data["stopping"] = asyncio.Event()
        process.data["children"] = [process.start(self._work(process)) for _ in range(WORKER_CHILDREN)]
        for name, seconds in BEAT:
            process.start(self._beat(name, seconds))

    async def _work(self, process: Process) -> None:
        stopping = asyncio.ensure_future(process.data["stopping"].wait())
        while not stopping.done():
            try:
                getting = asyncio.ensure_future(self._broker.get())
                await asyncio.wait([getting, stopping], return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    return
                await self._run(getting.result())
            except redis.ConnectionError:
                await asyncio.sleep(BROKER_RETRY_SECONDS)

    async def _run(self, job: Job) -> None:
        self._count(job.name.removeprefix("delivery."))
        try:
            async with asyncio.timeout(TASK_SECONDS):
                await run_blocking(lambda: TASKS[job.name](*job.args))
        except Exception as error:  # noqa: BLE001 - Celery logs whatever a task raises, and goes on
            self._count(f"task failed: {type(error).__name__}")

    async def _beat(self, name: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._broker.put(name, expires=seconds)
            except redis.RedisError:
                self._count("beat not sent")

    async def end(self, process: Process) -> None:
        """See Actor."""
        process.data["stopping"].set()
        await asyncio.wait(process.data["children"], timeout=SUPERVISOR_SECONDS)
