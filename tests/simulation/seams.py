"""Where the simulated world takes the place of the real one: the clock, chance, threads, and the clients of servers."""

import contextlib
import logging
import os
import random
import secrets
from collections import Counter
from collections.abc import Generator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from celery import current_app
from django.db import connections
from django.db.backends.base import base as database_base
from django.test import override_settings
from django.utils import timezone

from apps.connections import bus as bus_module
from apps.delivery import tasks
from apps.gateway import consumer
from apps.messagelog.log import get_message_log
from apps.messagestore.store import get_message_store
from apps.relay import delivery_lane
from apps.valkey import pools
from apps.valkey.async_keyspace import async_keyspace
from apps.valkey.sync_keyspace import sync_keyspace
from tests.simulation.broker import Broker
from tests.simulation.brokers import PartitionedLog
from tests.simulation.bus import Layer
from tests.simulation.databases import Connections, SimulatedDatabase
from tests.simulation.partitioned_log import PartitionedMessageLog
from tests.simulation.processes import current_process
from tests.simulation.site import SETTINGS
from tests.simulation.threads import Queues, Threading
from tests.simulation.trace import Trace
from tests.simulation.valkey import SimulatedValkey
from tests.simulation.valkey_clients import AsyncClient, SyncClient
from tests.simulation.variation import draw_limits
from tests.simulation.virtual_time import Clock, virtual_time

REMEMBERED = (
    pools._sync_client,
    sync_keyspace,
    async_keyspace,
    get_message_log,
    get_message_store,
    tasks.bus_sender,
)

COUNTED = {
    "has an unknown outcome": "append outcome unknown",
    "another reader took over": "lease taken over",
    "a dependency is down, the batch waits": "batch waited for a dependency",
    "the cache does not answer, the batch waits": "delivery waited for the cache",
    "is a dead letter": "dead letter",
}
"""Words of log lines, and under what they are counted."""


@contextlib.contextmanager
def simulated_world(
    *,
    clock: Clock,
    seed: int,
    servers: dict[str, SimulatedValkey],
    brokers: PartitionedLog | None,
    databases: dict[str, SimulatedDatabase],
    broker: Broker,
    layer: Layer,
    trace: Trace,
    counts: Counter[str],
) -> Generator[None]:
    """For the block, the product runs in the simulated world; afterwards everything is as it was."""

    def make_sync(url: str, **options: Any) -> SyncClient:
        return SyncClient(servers[str(urlsplit(url).hostname)], options["socket_timeout"])

    def make_async(url: str, **options: Any) -> AsyncClient:
        return AsyncClient(servers[str(urlsplit(url).hostname)], options["socket_timeout"])

    dice = random.Random(f"secrets {seed}")
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        random.seed(f"chance {seed}")
        put = _Putter(stack)
        put(redis.Redis, "from_url", make_sync)
        put(redis.asyncio.Redis, "from_url", make_async)
        put(bus_module, "get_channel_layer", lambda: layer)
        put(current_app.tasks[tasks.drain_inboxes.name].app, "send_task", broker.send_task)
        put(secrets, "token_bytes", lambda count=32: dice.randbytes(count))
        put(secrets, "choice", dice.choice)
        put(timezone, "now", lambda: datetime.fromtimestamp(clock.wall(), UTC))
        put(delivery_lane, "threading", Threading)
        put(delivery_lane, "queue", Queues)
        put(consumer, "get_gateway_process", _find_gateway)
        put(database_base, "_thread", SimpleNamespace(get_ident=lambda: 1))  # it stands in the names of savepoints
        put(connections, "_connections", Connections())
        put(connections, "create_connection", lambda alias: databases[alias].connect())
        # Nothing waits for real in the loop's thread: what the product's own code does wrong there is asserted.
        put(os, "environ", os.environ | {"DJANGO_ALLOW_ASYNC_UNSAFE": "1"})
        for module, name, limit in draw_limits(seed):
            put(module, name, limit)
        if brokers is not None:
            put(PartitionedMessageLog, "brokers", brokers)
        stack.enter_context(override_settings(**SETTINGS, MESSAGE_LOG_CLASS=choose_log_class(brokers)))
        stack.enter_context(_log_lines_to(trace, counts))
        _forget_clients()
        stack.callback(_forget_clients)
        stack.enter_context(virtual_time(clock))
        yield


def choose_log_class(brokers: PartitionedLog | None) -> str:
    """The adapter of the log, as the settings name it."""
    if brokers is None:
        return "apps.messagelog.valkey_streams.ValkeyStreamsMessageLog"
    return "tests.simulation.partitioned_log.PartitionedMessageLog"


def _find_gateway() -> Any:
    process = current_process.get()
    assert process is not None
    return process.data["gateway"]


def _forget_clients() -> None:
    for remembered in REMEMBERED:
        remembered.cache_clear()


class _Putter:
    """Puts something in another's place until the stack ends."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def __call__(self, owner: Any, name: str, replacement: Any) -> None:
        original = vars(owner).get(name, _ABSENT) if not isinstance(owner, type) else owner.__dict__[name]
        self._stack.callback(self._put_back, owner, name, original)
        setattr(owner, name, replacement)

    @staticmethod
    def _put_back(owner: Any, name: str, original: Any) -> None:
        if original is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


_ABSENT = object()


class _LinesToTrace(logging.Handler):
    """Log lines of the product, in the trace; some of them are counted."""

    def __init__(self, trace: Trace, counts: Counter[str]) -> None:
        super().__init__(logging.WARNING)
        self._trace = trace
        self._counts = counts

    def emit(self, record: logging.LogRecord) -> None:
        """Note one."""
        process = current_process.get()
        error = record.exc_info[1] if record.exc_info else None
        self._counts.update(name for words, name in COUNTED.items() if words in record.getMessage())
        text = f"logs: {record.getMessage()}" + (f" ({error!r})" if error is not None else "")
        self._trace.note(process.name if process is not None else "the world", text)


@contextlib.contextmanager
def _log_lines_to(trace: Trace, counts: Counter[str]) -> Generator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [_LinesToTrace(trace, counts)]
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
