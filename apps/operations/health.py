"""Is the site ready? Each dependency is asked, all at once, and none may take longer than two seconds."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, connections

from apps.messagelog.log import get_message_log
from apps.messagestore.store import get_message_store
from apps.operations.keys import WORKER_CANARY, WORKER_CANARY_TTL_SECONDS
from apps.valkey.pools import sync_client
from apps.valkey.sync_keyspace import sync_keyspace

TIMEOUT_SECONDS = 2.0
RELAY_GROUP = "relay"

Check = Callable[[], str]
"""Says in words what it found; raises where the part is not well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartHealth:
    """Whether one part can do its work; `detail` is for people and says nothing secret."""

    ok: bool
    detail: str


class NotReady(Exception):
    """A part answers, but cannot do its work; the text says why."""


def check_database() -> str:
    """Ask the users' database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "answers"


def check_message_store() -> str:
    """Ask the Message DB."""
    get_message_store().check()
    return "answers"


def check_cache() -> str:
    """Ask the Valkey of the inboxes and the one of everything else."""
    sync_client(settings.REDIS_URL).ping()
    if settings.INBOX_REDIS_URL != settings.REDIS_URL:
        sync_keyspace(settings.INBOX_REDIS_URL).check()
    return "answers"


def check_event_log() -> str:
    """Ask the event log."""
    get_message_log().status()
    return "answers"


def check_relay() -> str:
    """Look whether a relay holds the lease on the log."""
    if RELAY_GROUP not in get_message_log().status().readers:
        raise NotReady("no relay is running")
    return "reads the log"


def check_worker() -> str:
    """Look whether a Celery worker has run a task lately."""
    if not sync_client(settings.REDIS_URL).exists(WORKER_CANARY):
        raise NotReady(f"no Celery worker has run a task in the last {WORKER_CANARY_TTL_SECONDS} s")
    return "runs tasks"


CHECKS: Mapping[str, Check] = {
    "database": check_database,
    "message_store": check_message_store,
    "cache": check_cache,
    "event_log": check_event_log,
    "relay": check_relay,
    "worker": check_worker,
}


class HealthMonitor:
    """Runs the checks in threads of its own, at most one of each at a time.

    A check that hangs keeps its thread until it returns; until then its part is reported as not answering, and no
    further thread is spent on it.
    """

    def __init__(self, checks: Mapping[str, Check], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._checks = checks
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="health")
        self._running: dict[str, Future[PartHealth]] = {}

    async def check_parts(self) -> dict[str, PartHealth]:
        """Return the health of every part; never raises, and returns within the timeout."""
        waiting = {name: asyncio.wrap_future(self._start(name)) for name in self._checks}
        await asyncio.wait(waiting.values(), timeout=self._timeout_seconds)
        late = PartHealth(ok=False, detail=f"does not answer within {self._timeout_seconds:g} s")
        return {name: future.result() if future.done() else late for name, future in waiting.items()}

    def _start(self, name: str) -> Future[PartHealth]:
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = self._threads.submit(_run, self._checks[name])
        return running


def _run(check: Check) -> PartHealth:
    try:
        return PartHealth(ok=True, detail=check())
    except NotReady as error:
        return PartHealth(ok=False, detail=str(error))
    except Exception as error:  # noqa: BLE001 (whatever a check meets, it means that the part is not well)
        return PartHealth(ok=False, detail=f"does not answer ({type(error).__name__})")
    finally:
        connections.close_all()  # this thread's own, which Django would not close


monitor = HealthMonitor(CHECKS)
