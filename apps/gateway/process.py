"""One gateway process: its parts, its tasks, and every connection it has."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Collection, Coroutine
from typing import Any

from django.conf import settings

from apps.connections import bus, registry
from apps.gateway.ban_watch import BanWatch
from apps.gateway.close_codes import CloseReason
from apps.gateway.connection import Connection
from apps.gateway.connection_table import ConnectionTable
from apps.gateway.database import DatabaseThreads
from apps.gateway.device_sightings import DeviceSightings
from apps.gateway.drains import DrainRequests
from apps.gateway.events import GatewayEvents
from apps.gateway.group_pages import GroupPageReader
from apps.gateway.heartbeats import Heartbeats, Silence
from apps.gateway.open_groups import OpenGroups
from apps.gateway.polls import PollConnections
from apps.gateway.presence_watch import PresenceWatch
from apps.gateway.sessions import KnownSessions
from apps.gateway.typing_notices import TypingNotices
from apps.gateway.worker_number import WorkerNumber
from apps.ingest.batcher import IngestBatcher
from apps.ingest.gate import Gate
from apps.ingest.permissions import AccountDirectory
from apps.ingest.snowflake import SnowflakeIssuer
from apps.messagelog.log import get_message_log
from apps.moderation.address_bans import address_bans
from apps.observability.metrics import CONNECTIONS, CONNECTIONS_OPENED
from apps.observability.process import name_process
from apps.valkey.pools import ValkeyError, close_async_clients

logger = logging.getLogger(__name__)

# An end takes at most the sum of these; supervisors kill what has not ended after 10 s.
FLUSH_SECONDS = 4.0
CLOSING_SECONDS = 1.5
LAST_CLOSES_SECONDS = 1.0
TASKS_SECONDS = 1.5
CLOSING_STEPS = 20


class GatewayProcess:
    """Built inside a running event loop; ``start`` once, ``stop`` once."""

    def __init__(self) -> None:
        self.server_id = f"gw-{secrets.token_hex(6)}"
        self.threads = DatabaseThreads()
        self.directory = AccountDirectory(self.threads.run)
        self.silence = Silence(time.monotonic)
        self.heartbeats = Heartbeats(self.server_id, self.connections)
        self.drains = DrainRequests(self.server_id)
        self.typing = TypingNotices(self.directory)
        self.presence = PresenceWatch(self.threads)
        self.sessions = KnownSessions(self.threads)
        self.group_pages = GroupPageReader(self.sessions, self.directory)
        self.open_groups = OpenGroups(self.server_id, self.directory)
        self.bans = BanWatch(self.threads, address_bans)
        self.sightings = DeviceSightings(self.threads, self.connections)
        self.polls = PollConnections(self)
        issuer = SnowflakeIssuer(_now_ms, time.monotonic)
        self._worker_number = WorkerNumber(self.server_id, issuer, self.threads)
        self.batcher = IngestBatcher(
            appender=get_message_log().appender(),
            gate=Gate(
                issuer=issuer,
                directory=self.directory,
                throttled=settings.STEADY_MESSAGES_PER_SECOND > 0,
                now_ms=_now_ms,
            ),
            directory=self.directory,
            now_ms=_now_ms,
        )
        self._events = GatewayEvents(self)
        self._table = ConnectionTable()
        self._ended: list[tuple[str, str, int]] = []
        self._ended_wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ingest: asyncio.Task[None] | None = None
        self.stopping = False

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the tasks that this process owns."""
        self._ingest = self._own(self.batcher.run(), "ingest")
        self._own(self._worker_number.run(), "worker number")
        self._own(self.heartbeats.run(), "heartbeats")
        self._own(self.silence.run(), "silence")
        self._own(self.drains.run(), "drains")
        self._own(self.typing.run(), "typing")
        self._own(self.presence.run(), "presence")
        self._own(self.open_groups.run(), "open groups")
        self._own(self.group_pages.run(), "pages of groups")
        self._own(self.bans.run(), "bans")
        self._own(self.sightings.run(), "sightings")
        self._own(self._events.read_bus(), "bus")
        self._own(self._events.read_control(), "control")
        self._own(self._remove_ended(), "registry removals")
        name_process(self.server_id)
        logger.info("gateway %s started", self.server_id)

    async def stop(self) -> None:
        """Finish what was taken, then close all connections with 1012, spread over a moment, then end the tasks."""
        self.stopping = True
        self.batcher.stop()
        if self._ingest is not None:
            _, unfinished = await asyncio.wait([self._ingest], timeout=FLUSH_SECONDS)
            if unfinished:
                logger.error("the ingest queue was not flushed within %d s: senders send again", FLUSH_SECONDS)
        await self._close_in_steps()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            # The channel layer unsubscribes when it is cancelled, and waits long for a cache that does not answer.
            await asyncio.wait(self._tasks, timeout=TASKS_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_CLOSES_SECONDS):
                await self._forget_ended()
        self.threads.close()
        await close_async_clients()

    async def _close_in_steps(self) -> None:
        """All at once would bring all clients back at once."""
        everybody = list(self._table.values())
        step = max(1, len(everybody) // CLOSING_STEPS)
        for start in range(0, len(everybody), step):
            for connection in everybody[start : start + step]:
                connection.close(CloseReason.RESTARTING)
            await asyncio.sleep(CLOSING_SECONDS / CLOSING_STEPS if len(everybody) > step else 0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_CLOSES_SECONDS):
                await self._table.wait_until_empty()

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.stopping:
            return
        # None of these ends by itself: a process without one of its parts must not go on as if it had it.
        logger.critical("gateway task %r ended", task.get_name(), exc_info=task.exception())
        self.on_failure()

    def on_failure(self) -> None:
        """Called when a part fails for good; the server replaces it to end the process."""

    # -- connections ----------------------------------------------------------------------------------------------

    def connections(self) -> Collection[Connection]:
        """Everybody who is connected here."""
        return self._table.values()

    def find(self, device_id: str) -> Connection | None:
        """A device's connection to this process."""
        return self._table.find(device_id)

    async def open(self, connection: Connection) -> registry.Registration:
        """Register a connection; the device's older one, wherever it is, is closed with 4409. Raises ValkeyError."""
        self._table.add(connection)
        try:
            registration = await registry.register_connection(connection.user_id, connection.device_id, self.server_id)
        except (ValkeyError, OSError):
            self._remove(connection)
            raise
        connection.connection_id = registration.connection_id
        self._table.settle(connection)
        if registration.previous_server_id not in ("", self.server_id):
            await self._tell_older(registration, connection)
        self.silence.heartbeat(connection)
        self.sightings.note(connection.device_id)
        self._events.check_newcomer(connection)
        CONNECTIONS_OPENED.inc()
        CONNECTIONS.set(len(self._table))
        return registration

    def _remove(self, connection: Connection) -> None:
        self._table.remove(connection)
        CONNECTIONS.set(len(self._table))

    @staticmethod
    async def _tell_older(registration: registry.Registration, connection: Connection) -> None:
        device_id, connection_id = connection.device_id, connection.connection_id
        try:
            await bus.send_handoff(registration.previous_server_id, device_id, connection_id, connection.client)
        except (ValkeyError, OSError) as error:
            logger.warning("handoff of %s not sent, its heartbeat will find out: %s", device_id, error)

    async def close(self, connection: Connection) -> None:
        """A connection's socket is gone."""
        self._remove(connection)
        self.silence.forget(connection)
        self.presence.forget(connection)
        self.open_groups.forget(connection)
        self.sightings.note(connection.device_id)
        await connection.end()
        if connection.connection_id:
            self._ended.append((connection.user_id, connection.device_id, connection.connection_id))
            self._ended_wake.set()

    async def _remove_ended(self) -> None:
        while True:
            await self._ended_wake.wait()
            self._ended_wake.clear()
            await self._forget_ended()

    async def _forget_ended(self) -> None:
        ended, self._ended = self._ended, []
        if not ended:
            return
        try:
            await registry.remove_connections(ended)
        except (ValkeyError, OSError) as error:
            logger.warning("%d ended connections stay registered until they expire: %s", len(ended), error)


def _now_ms() -> int:
    return int(time.time() * 1000)


_process: GatewayProcess | None = None


def get_gateway_process() -> GatewayProcess:
    """This process's gateway, started at the first call: under daphne nobody else starts it."""
    global _process
    if _process is None:
        _process = GatewayProcess()
        _process.start()
    return _process
