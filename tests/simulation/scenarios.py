"""Plans written for a purpose: rare things that must meet in one order, which seeds hardly ever draw."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.simulation.plan import CACHE, LOG, STORE, WORKER, Act, Device, Fault, FaultKind, Operation, Person, Plan
from tests.simulation.trace import Event

STREAMS_SEED = 6
"""With this one the log is Valkey Streams, and every limit is as in the product."""

ALICE, BOB = "usr-000000000001", "usr-000000000002"
ALICE_1, ALICE_2 = Device(ALICE, "dev-000000000101"), Device(ALICE, "dev-000000000102")
BOB_1, BOB_2 = Device(BOB, "dev-000000000201"), Device(BOB, "dev-000000000202")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the trace: who, and words in it."""

    actor: str
    words: str

    def fits(self, event: Event) -> bool:
        """Whether an event is such a line."""
        return event.actor == self.actor and self.words in event.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A plan with a purpose. Its run is an idle proof unless the lines ``expected`` come, in this order, none of those
    ``ruled_out`` comes, and what is ``counted`` happens so often.
    """

    name: str
    purpose: str
    plan: Plan
    expected: tuple[Line, ...]
    ruled_out: tuple[Line, ...] = ()
    counted: Mapping[str, int] = field(default_factory=dict)

    def find_idle(self, events: Iterable[Event], counts: Mapping[str, int]) -> Iterator[str]:
        """What makes a run an idle proof."""
        left = list(self.expected)
        for event in events:
            if left and left[0].fits(event):
                left.pop(0)
            if any(line.fits(event) for line in self.ruled_out):
                yield f"should not have come: {event}"
        for line in left:
            yield f"did not come, in its turn: {line.actor} {line.words}"
        for name, number in self.counted.items():
            if counts.get(name, 0) != number:
                yield f"{name} happened {counts.get(name, 0)} times, not {number}"


# --- What people do, and what breaks ------------------------------------------------------------------------------


def _person(user_id: str, *devices: Device) -> Person:
    return Person(user_id=user_id, devices=devices, keeps_history=False)


def _send(at_ms: int, device: Device, peer: str) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.SEND, peer=peer)


def _stay_offline(at_ms: int, device: Device, until_ms: int) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.OFFLINE, duration_ms=until_ms - at_ms)


def _log_in(at_ms: int, device: Device) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.LOG_IN)


def _log_out(at_ms: int, device: Device) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.LOG_OUT)


def _write_to_group(at_ms: int, device: Device) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.GROUP_SEND)


def _leave_group(at_ms: int, device: Device, until_ms: int) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.GROUP_LEAVE, duration_ms=until_ms - at_ms)


def _fail_to_store(at_ms: int, device: Device, until_ms: int) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.GROUP_FORGET, duration_ms=until_ms - at_ms)


def _block(at_ms: int, device: Device, peer: str, until_ms: int) -> Operation:
    return Operation(at_ms=at_ms, device=device, act=Act.BLOCK, peer=peer, duration_ms=until_ms - at_ms)


def _fault(at_ms: int, kind: FaultKind, target: str, until_ms: int) -> Fault:
    return Fault(at_ms=at_ms, kind=kind, target=target, duration_ms=until_ms - at_ms)


def _name_message(sent: Operation) -> str:
    """The words of the only message of an operation."""
    return f"{sent.device.device_id[-4:]}-{sent.at_ms}.1"


def _gets_tick(sent: Operation) -> Line:
    return Line(sent.device.device_id, "gets message_received")


def _gets_both_ticks(sent: Operation) -> Line:
    return Line(sent.device.device_id, "gets message_delivered")


def _gets(device: Device, sent: Operation) -> Line:
    return Line(device.device_id, f"gets incoming_message {_name_message(sent)}")


# --- Scenarios ----------------------------------------------------------------------------------------------------


def _only_device_replaced() -> Scenario:
    sent = _send(3_000, ALICE_1, BOB)
    return Scenario(
        name="only-device-replaced",
        purpose="The only device of somebody is removed while a message waits for it; the next one gets the message.",
        plan=Plan(
            seed=STREAMS_SEED,
            people=(_person(ALICE, ALICE_1), _person(BOB, BOB_1)),
            operations=(
                _stay_offline(1_000, BOB_1, until_ms=8_000),
                sent,
                _log_out(6_000, BOB_1),
                # Long enough after the logout for what it left behind to be cleared away.
                _log_in(10_000, BOB_2),
            ),
            faults=(),
        ),
        expected=(_gets_tick(sent), _gets(BOB_2, sent), _gets_both_ticks(sent)),
        ruled_out=(_gets(BOB_1, sent),),
        counted={"forget_device": 1},
    )


def _removed_unannounced() -> Scenario:
    sent = _send(3_000, ALICE_1, BOB)
    return Scenario(
        name="removed-unannounced",
        purpose="A device of either side is removed while the task that is to release it cannot be sent. By then a "
        "sweep has looked at the message that waits for both; a later one must look again.",
        plan=Plan(
            seed=STREAMS_SEED,
            people=(_person(ALICE, ALICE_1, ALICE_2), _person(BOB, BOB_1, BOB_2)),
            operations=(
                _stay_offline(1_000, ALICE_2, until_ms=30_000),
                _stay_offline(1_000, BOB_2, until_ms=30_000),
                sent,
                # A sweep comes every 10 s, and looks at what is older than 10 s.
                _log_out(26_000, ALICE_2),
                _log_out(26_100, BOB_2),
            ),
            # Cut off, not emptied: the sweep keeps its cursor.
            faults=(_fault(25_000, FaultKind.CUT_OFF, CACHE, until_ms=28_000),),
        ),
        expected=(
            _gets_both_ticks(sent),
            Line("web", "_ask_to_forget"),
            Line("web", "_ask_to_forget"),
        ),
        ruled_out=(_gets(ALICE_2, sent), _gets(BOB_2, sent)),
        counted={"logged out": 2, "forget_device": 0},
    )


def _log_lost_with_a_batch_in_hand() -> Scenario:
    sent = _send(8_000, ALICE_1, BOB)
    later = _send(16_000, ALICE_1, BOB)
    return Scenario(
        name="log-lost-with-a-batch-in-hand",
        purpose="The only relay has read a batch that it cannot store, and loses its connection to the log, and with "
        "it the batch; it must read it again.",
        plan=Plan(
            seed=STREAMS_SEED,
            people=(_person(ALICE, ALICE_1), _person(BOB, BOB_1)),
            operations=(sent, later),
            faults=(
                _fault(500, FaultKind.KILL, "relay 1", until_ms=20_000),
                _fault(7_000, FaultKind.CUT_OFF, STORE, until_ms=13_000),
                _fault(9_000, FaultKind.CUT_OFF, LOG, until_ms=12_000),
            ),
        ),
        expected=(
            _gets_tick(sent),
            Line("relay 0", "a dependency is down, the batch waits"),
            Line("relay 0", "the log does not answer"),
            _gets(BOB_1, sent),
            _gets(BOB_1, later),
        ),
    )


def _inbox_comes_back() -> Scenario:
    sent = _send(9_000, ALICE_1, BOB)
    return Scenario(
        name="inbox-comes-back",
        purpose="A device is removed, and with it its inbox, in which a message waits; the cache loses power before "
        "that is on its disk, and comes back with the inbox. No row of the Message DB names the device any more.",
        plan=Plan(
            seed=STREAMS_SEED,
            people=(_person(ALICE, ALICE_1), _person(BOB, BOB_1, BOB_2)),
            operations=(_stay_offline(8_000, BOB_2, until_ms=26_000), sent, _log_out(12_500, BOB_2)),
            # What was written in the last second is lost.
            faults=(_fault(13_000, FaultKind.POWER_LOSS, CACHE, until_ms=14_000),),
        ),
        expected=(
            # An inbox is made when it is asked for, and a user's only one by one.
            Line(BOB_2.device_id, "gets inbox_drained"),
            _gets_both_ticks(sent),
            Line("nemesis", "cache: power loss"),
        ),
        ruled_out=(_gets(BOB_2, sent),),
        counted={"logged out": 1, "forget_device": 1},
    )


def _block_unheard_of() -> Scenario:
    before = _send(3_000, ALICE_1, BOB)
    after = _send(10_000, ALICE_1, BOB)
    return Scenario(
        name="block-unheard-of",
        purpose="Somebody blocks another one while the cache is cut off, so that no gateway hears of it and the cache "
        "itself says otherwise; what the gateway lets through the relay must withdraw.",
        plan=Plan(
            seed=STREAMS_SEED,
            people=(_person(ALICE, ALICE_1), _person(BOB, BOB_1)),
            operations=(before, _block(6_000, BOB_1, ALICE, until_ms=30_000), after),
            faults=(_fault(5_000, FaultKind.CUT_OFF, CACHE, until_ms=8_000),),
        ),
        expected=(
            _gets(BOB_1, before),
            Line("nemesis", "cache: cut off"),
            _gets_tick(after),
            Line(ALICE_1.device_id, "forbidden"),
        ),
    )


def _first_not_stored() -> Scenario:
    first = _write_to_group(3_000, ALICE_1)
    second = _write_to_group(4_000, ALICE_1)
    return Scenario(
        name="first-not-stored",
        purpose="A device of a group's member cannot store a message and does not confirm it, but confirms the next; "
        "it gets the first one again.",
        plan=Plan(
            seed=STREAMS_SEED,
            people=(_person(ALICE, ALICE_1), _person(BOB, BOB_1)),
            operations=(_fail_to_store(2_000, BOB_1, until_ms=8_000), first, second),
            faults=(),
            members=(ALICE, BOB),
        ),
        expected=(_gets(BOB_1, first), _gets(BOB_1, second), _gets_both_ticks(second), _gets(BOB_1, first)),
    )


def _group_goes_on_under_a_rebuild() -> Scenario:
    rounds = 12
    begins = [(10_000 + 15_000 * number, 200 + 400 * number) for number in range(rounds)]
    devices = [Device(BOB, f"dev-0000000002{number:02x}") for number in range(2, 2 + rounds)]
    sent = [_write_to_group(at_ms + after_ms + 500, ALICE_1) for at_ms, after_ms in begins]
    return Scenario(
        name="group-goes-on-under-a-rebuild",
        purpose="While the inbox of a new device is made, somebody writes to the group, and the device's user leaves "
        "it: what is read of the group later must not say more than what was read of it before. It takes half a second "
        "from one read to the next, for the store is slow; in some round the worker is paused between the two that "
        "matter.",
        plan=Plan(
            seed=STREAMS_SEED,
            people=(_person(ALICE, ALICE_1), _person(BOB, BOB_1)),
            operations=(
                *sent,
                *(_log_in(at_ms, device) for (at_ms, _), device in zip(begins, devices, strict=True)),
                *(
                    _leave_group(at_ms + after_ms + 1_000, BOB_1, until_ms=at_ms + after_ms + 7_000)
                    for at_ms, after_ms in begins
                ),
            ),
            faults=tuple(
                fault
                for at_ms, after_ms in begins
                for fault in (
                    _fault(at_ms, FaultKind.SLOW, STORE, until_ms=at_ms + after_ms),
                    _fault(at_ms + after_ms, FaultKind.PAUSE, WORKER, until_ms=at_ms + after_ms + 3_000),
                )
            ),
            members=(ALICE, BOB),
        ),
        expected=tuple(_gets(device, message) for device, message in zip(devices, sent, strict=True)),
        counted={"fault pause worker": rounds, "operation leave the group": rounds, "operation log in": rounds},
    )


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        _only_device_replaced(),
        _removed_unannounced(),
        _log_lost_with_a_batch_in_hand(),
        _inbox_comes_back(),
        _block_unheard_of(),
        _first_not_stored(),
        _group_goes_on_under_a_rebuild(),
    )
}
