"""What happens in one simulated run: people and devices, what they do and when, and what breaks meanwhile.

A plan is all that a run depends on. Any operation, fault or call fault may be taken out and the rest still is a plan:
that is how a failing one is made small. Times are virtual milliseconds since the start of the run.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

import orjson

DRAW_RANGE = 2**32


class Act(StrEnum):
    """What a person does on a device. `peer` is a user id; `duration_ms` is how long it lasts."""

    SEND = "send"  # `count` messages to `peer`, one after another
    RETRY = "retry"  # the newest own message to `peer` once more, same client id, although it may have ✓
    REUSE = "reuse"  # the client id of an old message for other words
    STRANGER = "stranger"  # confirms and reads what two others write to each other
    READ = "read"  # the newest message shown of `peer` was read
    OFFLINE = "offline"  # goes away with a closing handshake, and comes back after `duration_ms`
    CUT = "cut"  # the connection ends without a word; the client comes back by itself
    SLEEP = "sleep"  # keeps its connection and neither reads nor writes for `duration_ms`
    TAKE_OVER = "take over"  # connects a second time while the first connection still stands
    LOG_IN = "log in"  # the device exists from now on
    LOG_OUT = "log out"  # no longer
    BLOCK = "block"  # `peer`, for `duration_ms`
    KEEP_HISTORY = "keep history"
    KEEP_NOTHING = "keep nothing"
    GROUP_SEND = "write to the group"  # `count` messages, one after another
    GROUP_LEAVE = "leave the group"  # and comes back after `duration_ms`
    GROUP_REMOVE = "remove from the group"  # the owner removes `peer`, and adds them after `duration_ms`
    GROUP_FORGET = "cannot store"  # the next message of the group; connects anew after `duration_ms`
    TYPING = "typing"
    OPEN_CHAT = "open chat"


GROUP = "grp-000000000001"
"""There is one group; those who are in it from the start are ``Plan.members``, the first of them owns it."""


class FaultKind(StrEnum):
    """What breaks, for `duration_ms`."""

    KILL = "kill"  # at whatever it was doing; started again after the time
    STOP = "stop"  # asked to end in good order; started again after the time
    PAUSE = "pause"  # frozen, then goes on as if nothing had been
    POWER_LOSS = "power loss"  # killed, and what was not synced is gone
    CUT_OFF = "cut off"  # refuses every call
    HALF_OPEN = "half open"  # nothing comes in or out, and nobody is told
    FLUSH = "flush"  # everything it held is gone, it runs on
    DISK_FULL = "disk full"  # refuses to write, still reads
    SLOW = "slow"  # every call takes long
    CLOCK_STEP = "clock step"  # its wall clock jumps by `step_ms`, and back after the time
    DROP = "drop"  # loses what passes
    DELAY = "delay"  # keeps what passes for a while, and lets it cross


WORKER = "worker"
PROCESSES = ("gateway 0", "gateway 1", "relay 0", "relay 1", WORKER)
CACHE, LOG, STORE, DATABASE, BUS = "cache", "log", "store", "database", "bus"
SOCKETS = ("sockets 0", "sockets 1")  # all lines between clients and one gateway

TARGETS: dict[FaultKind, tuple[str, ...]] = {
    FaultKind.KILL: (*PROCESSES, CACHE, LOG, STORE),
    FaultKind.STOP: PROCESSES,
    FaultKind.PAUSE: (*PROCESSES, CACHE, LOG, STORE),
    FaultKind.POWER_LOSS: (CACHE, LOG, STORE),
    FaultKind.CUT_OFF: (CACHE, LOG, STORE, DATABASE, *SOCKETS),
    FaultKind.HALF_OPEN: SOCKETS,
    FaultKind.FLUSH: (CACHE,),
    FaultKind.DISK_FULL: (LOG, STORE),
    FaultKind.SLOW: (CACHE, LOG, STORE, DATABASE),
    FaultKind.CLOCK_STEP: ("gateway 0", "gateway 1", "relay 0", "relay 1"),
    FaultKind.DROP: (BUS,),
    FaultKind.DELAY: (BUS,),
}


class CallOutcome(StrEnum):
    """What befalls a single call of a process to a server, beside what the faults do."""

    REFUSED = "refused"  # fails, and has no effect
    ANSWER_LOST = "answer lost"  # has its effect, and fails
    DELAYED = "delayed"  # others run in between
    KILLED_BEFORE = "killed before"  # the calling process dies, the call has no effect
    KILLED_AFTER = "killed after"  # the calling process dies, the call has its effect


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """One device of one user."""

    user_id: str
    device_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user with the devices that are logged in from the start."""

    user_id: str
    devices: tuple[Device, ...]
    keeps_history: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a person does; one that makes no sense by then (a device that is not logged in) does nothing."""

    at_ms: int
    device: Device
    act: Act
    peer: str = ""
    count: int = 1
    duration_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that breaks, and is whole again after `duration_ms`."""

    at_ms: int
    kind: FaultKind
    target: str
    duration_ms: int
    step_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class CallFault:
    """What befell call number `number` of `actor`, counted from 1 over the whole run."""

    actor: str
    number: int
    outcome: CallOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. `call_faults` None: drawn by `call_rates` (chance of each outcome per call); else just those happen."""

    seed: int
    people: tuple[Person, ...]
    operations: tuple[Operation, ...]
    faults: tuple[Fault, ...]
    call_rates: tuple[tuple[CallOutcome, float], ...] = ()
    call_faults: tuple[CallFault, ...] | None = None
    members: tuple[str, ...] = ()

    @property
    def ends_at_ms(self) -> int:
        """When the last operation and the last fault are over."""
        ends = [0, *(o.at_ms + o.duration_ms for o in self.operations), *(f.at_ms + f.duration_ms for f in self.faults)]
        return max(ends)

    def devices(self) -> Iterator[Device]:
        """Every device that ever is: those of the start, then those that log in, in that order."""
        known: dict[Device, None] = {device: None for person in self.people for device in person.devices}
        known |= {operation.device: None for operation in self.operations if operation.act is Act.LOG_IN}
        yield from known

    def with_call_faults(self, struck: tuple[CallFault, ...]) -> Self:
        """The same plan with its call faults written down instead of drawn."""
        return replace(self, call_faults=struck)

    def to_json(self) -> bytes:
        """The plan as it is kept in a file."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Read what `to_json` wrote. Raises ValueError, KeyError or TypeError where that is not a plan."""
        row: dict[str, Any] = orjson.loads(text)
        calls = row["call_faults"]
        return cls(
            seed=row["seed"],
            people=tuple(_read_person(person) for person in row["people"]),
            operations=tuple(_read_operation(operation) for operation in row["operations"]),
            faults=tuple(Fault(**fault | {"kind": FaultKind(fault["kind"])}) for fault in row["faults"]),
            call_rates=tuple((CallOutcome(outcome), float(rate)) for outcome, rate in row["call_rates"]),
            call_faults=None if calls is None else tuple(_read_call_fault(call) for call in calls),
            members=tuple(row.get("members", ())),
        )


class CallDice:
    """Says what befalls each call of a run; the answer for one call does not depend on any other."""

    def __init__(self, plan: Plan) -> None:
        self._seed = plan.seed
        self._rates = plan.call_rates
        self._written = (
            None if plan.call_faults is None else {(call.actor, call.number): call.outcome for call in plan.call_faults}
        )

    def draw(self, actor: str, number: int) -> CallOutcome | None:
        """What befalls call `number` (from 1) of `actor`, None for nothing."""
        if self._written is not None:
            return self._written.get((actor, number))
        if not self._rates:
            return None
        digest = hashlib.blake2b(f"{self._seed} {actor} {number}".encode(), digest_size=4).digest()
        left = int.from_bytes(digest) / DRAW_RANGE
        for outcome, rate in self._rates:
            if left < rate:
                return outcome
            left -= rate
        return None


def _read_person(row: dict[str, Any]) -> Person:
    return Person(**row | {"devices": tuple(Device(**device) for device in row["devices"])})


def _read_operation(row: dict[str, Any]) -> Operation:
    return Operation(**row | {"device": Device(**row["device"]), "act": Act(row["act"])})


def _read_call_fault(row: dict[str, Any]) -> CallFault:
    return CallFault(**row | {"outcome": CallOutcome(row["outcome"])})
