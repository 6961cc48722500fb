"""The embedded profile as a whole: which processes make the site, and in which order they come up."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from django.conf import settings
from django.db import connections

from apps.messagelog.base import LogUnavailable
from apps.messagelog.generation import set_up_log
from apps.operations.console import Console
from apps.operations.embedded_valkey import EmbeddedValkey
from apps.operations.keys import WORKER_CANARY, WORKER_CANARY_TTL_SECONDS
from apps.operations.readiness import find_missing_part
from apps.operations.supervision import Part, PartsSupervisor
from apps.valkey.pools import ValkeyError, sync_client

# Stopping: gateways say goodbye while all else still works, the servers go last. Together below 20 s.
GATEWAY_RANK, DELIVERY_RANK, SERVER_RANK = 300, 200, 100
GATEWAY_STOP_SECONDS, DELIVERY_STOP_SECONDS, SERVER_STOP_SECONDS = 10, 5, 4
# A single worker has nobody to gossip with; each of these costs start-up time and broker traffic.
WORKER_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
START_ATTEMPTS = 2
READY_LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 10.0
WORKER_LOOK_SECONDS = 5.0
WORKER_SILENCE_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """What to run: the address, the number of gateways, and whether the demo talk follows."""

    host: str
    port: int
    workers: int
    demo: bool

    @property
    def host_here(self) -> str:
        """The host under which the site is reached from this machine."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 (only compared)

    @property
    def address(self) -> str:
        """The address that a browser on this machine can open."""
        host = f"[{self.host_here}]" if ":" in self.host_here else self.host_here
        return f"http://{host}:{self.port}"


def list_parts(plan: SitePlan, servers: Sequence[EmbeddedValkey]) -> list[Part]:
    """List the processes of the site, the embedded servers first."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "chatsite"]
    parts = [
        Part(name=server.name, command=server.command(), stop_rank=SERVER_RANK, stop_seconds=SERVER_STOP_SECONDS)
        for server in servers
    ]
    for name in _gateway_names(plan):
        command = [*manage, "gateway", "--host", plan.host, "--port", str(plan.port)]
        parts.append(Part(name=name, command=command, stop_rank=GATEWAY_RANK, stop_seconds=GATEWAY_STOP_SECONDS))
    delivery = {
        "relay": [*manage, "relay"],
        "worker": [
            *celery,
            "worker",
            "-Q",
            "gaps,drain,fan_out,counts,sweeps",
            "-c",
            "2",
            "-l",
            "WARNING",
            *WORKER_QUIET,
        ],
        "beat": [*celery, "beat", "-l", "WARNING"],
    }
    if settings.SPAM_SCORING:
        delivery["spam"] = [*manage, "spam"]
    for name, command in delivery.items():
        parts.append(Part(name=name, command=command, stop_rank=DELIVERY_RANK, stop_seconds=DELIVERY_STOP_SECONDS))
    if plan.demo:
        command = [*manage, "demo", plan.address]
        parts.append(Part(name="demo", command=command, stop_rank=GATEWAY_RANK, stop_seconds=1, runs_once=True))
    return parts


def _gateway_names(plan: SitePlan) -> list[str]:
    return ["gateway"] if plan.workers == 1 else [f"gateway-{number}" for number in range(1, plan.workers + 1)]


class Stage(Enum):
    """How far the start has come."""

    NOTHING = auto()
    SERVERS = auto()
    PARTS = auto()
    READY = auto()


class SiteDirector:
    """Brings the parts up in order, gives up where one cannot start, and later looks after the Celery worker."""

    def __init__(self, plan: SitePlan, servers: Sequence[EmbeddedValkey], console: Console) -> None:
        self._plan = plan
        self._servers = servers
        self._console = console
        self._stage = Stage.NOTHING
        self._parts = [part.name for part in list_parts(plan, ()) if not part.runs_once]
        self._ends: Counter[str] = Counter()
        self._next_look = 0.0
        self._next_complaint = 0.0
        self._worker_seen_at = 0.0
        self.failure: str | None = None

    def advance(self, parts: PartsSupervisor) -> None:
        """Take the next step of the start, or look at the worker."""
        now = time.monotonic()
        if self._stage is Stage.NOTHING:
            self._start_all(parts, [server.name for server in self._servers])
            self._stage = Stage.SERVERS
        elif self._stage is Stage.SERVERS:
            if all(server.answers() for server in self._servers):
                self._set_up_and_start(parts)
                self._stage = Stage.PARTS
                self._next_complaint = now + PATIENCE_SECONDS
        elif now < self._next_look:
            return
        elif self._stage is Stage.PARTS:
            self._next_look = now + READY_LOOK_SECONDS
            self._announce_when_ready(parts, now)
        else:
            self._next_look = now + WORKER_LOOK_SECONDS
            self._look_after_worker(parts, now)

    def part_ended(self, parts: PartsSupervisor, name: str) -> None:
        """Say so; during the start, stop everything when a part ended twice, since it cannot start."""
        reason = self._console.last_line(name) or "it gave no reason"
        if self._stage is Stage.READY:
            self._console.say(f"{name} ended and is started again ({reason})")
            return
        self._ends[name] += 1
        if self._ends[name] >= START_ATTEMPTS and self.failure is None:
            self.failure = f"{name} cannot start: {reason}"
            parts.stop()

    def _start_all(self, parts: PartsSupervisor, names: Sequence[str]) -> None:
        for name in names:
            parts.start(name)

    def _set_up_and_start(self, parts: PartsSupervisor) -> None:
        try:
            set_up_log()
        except (LogUnavailable, ValueError) as error:
            self.failure = f"the event log cannot be used: {error}"
            parts.stop()
            return
        finally:
            connections.close_all()  # the parts are forked: no open SQLite file may be carried along
        self._start_all(parts, self._parts)

    def _announce_when_ready(self, parts: PartsSupervisor, now: float) -> None:
        missing = find_missing_part(self._plan.host_here, self._plan.port)
        if missing is None:
            self._stage = Stage.READY
            self._worker_seen_at = now
            self._console.say(f"ready: {self._plan.address}  (Ctrl-C stops)")
            if self._plan.demo:
                parts.start("demo")
        elif now >= self._next_complaint:
            self._next_complaint = now + PATIENCE_SECONDS
            self._console.say(f"still waiting for {missing}")

    def _look_after_worker(self, parts: PartsSupervisor, now: float) -> None:
        """Kill a Celery worker that is alive but runs nothing (celery issues 8030, 10205), and beat, which asks it."""
        if _worker_gives_sign():
            self._worker_seen_at = now
        # A canary that is seen may be as old as it can get.
        silence = now - self._worker_seen_at + WORKER_CANARY_TTL_SECONDS
        if silence > WORKER_SILENCE_SECONDS and parts.running_seconds("worker") > WORKER_SILENCE_SECONDS:
            self._console.say(f"worker has run nothing for {silence:.0f} s: it is killed and started again")
            parts.kill("worker")
            parts.kill("beat")


def _worker_gives_sign() -> bool:
    """Tell whether the canary lives; true too while the cache server is away, which is not the worker's fault."""
    try:
        return bool(sync_client(settings.REDIS_URL).exists(WORKER_CANARY))
    except ValkeyError:
        return True
