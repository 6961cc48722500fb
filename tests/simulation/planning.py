"""Draws a plan from a seed: people in small circles, what they do in bursts, and faults in the midst of the bursts."""

import random
from collections.abc import Iterator, Mapping

from tests.simulation.plan import TARGETS, Act, CallOutcome, Device, Fault, FaultKind, Operation, Person, Plan

LEAST_OPERATIONS, MOST_OPERATIONS = 220, 250
LEAST_FAULTS, MOST_FAULTS = 5, 15
SPAN_MS = 60_000
BURST_MS = 800  # operations of a burst are about so far from the fault
IN_BURSTS = 0.7
BEGIN_MS = 1_000
MOST_CALL_FAULT_RATES: Mapping[CallOutcome, float] = {
    CallOutcome.REFUSED: 0.01,
    CallOutcome.ANSWER_LOST: 0.01,
    CallOutcome.DELAYED: 0.03,
    CallOutcome.KILLED_BEFORE: 0.0005,
    CallOutcome.KILLED_AFTER: 0.0005,
}
WITHOUT_CALL_FAULTS = 0.25  # of all plans

WEIGHTS: Mapping[Act, float] = {
    Act.SEND: 60,
    Act.RETRY: 4,
    Act.REUSE: 1.5,
    Act.STRANGER: 1.5,
    Act.READ: 6,
    Act.OFFLINE: 6,
    Act.CUT: 6,
    Act.SLEEP: 2,
    Act.TAKE_OVER: 4,
    Act.LOG_IN: 2,
    Act.LOG_OUT: 2,
    Act.BLOCK: 1.5,
    Act.KEEP_HISTORY: 1,
    Act.KEEP_NOTHING: 1,
    Act.GROUP_SEND: 14,
    Act.GROUP_LEAVE: 2,
    Act.GROUP_REMOVE: 2,
    Act.TYPING: 1,
    Act.OPEN_CHAT: 1,
}
LASTS_MS: Mapping[Act, tuple[int, int]] = {
    Act.OFFLINE: (100, 20_000),
    Act.SLEEP: (1_000, 30_000),
    Act.BLOCK: (500, 10_000),
    Act.GROUP_LEAVE: (50, 10_000),
    Act.GROUP_REMOVE: (50, 10_000),
}
FAULT_LASTS_MS: Mapping[FaultKind, tuple[int, int]] = {
    FaultKind.KILL: (50, 8_000),
    FaultKind.STOP: (50, 8_000),
    FaultKind.PAUSE: (500, 45_000),
    FaultKind.POWER_LOSS: (200, 8_000),
    FaultKind.CUT_OFF: (100, 15_000),
    FaultKind.HALF_OPEN: (1_000, 40_000),
    FaultKind.FLUSH: (0, 0),
    FaultKind.DISK_FULL: (500, 10_000),
    FaultKind.SLOW: (500, 10_000),
    FaultKind.CLOCK_STEP: (1_000, 40_000),
    FaultKind.DROP: (500, 15_000),
    FaultKind.DELAY: (500, 15_000),
}
STEPS_MS = (-90_000, -5_000, -300, 300, 5_000, 90_000)
BURST_SIZES = (1, 1, 1, 1, 2, 4)
LONG_OFFLINE_MS = (60_000, 90_000)
LONG_OFFLINE = 0.04  # of all times that a device is offline
TWINS = 0.1  # of all sends: the other one writes in the same millisecond


def make_plan(seed: int) -> Plan:
    """Draw the plan of a seed; the same each time."""
    rng = random.Random(f"simulation {seed}")
    people = _draw_people(rng)
    faults = _draw_faults(rng)
    return Plan(
        seed=seed,
        people=people,
        operations=_draw_operations(rng, people, faults),
        faults=faults,
        call_rates=_draw_call_rates(rng),
        members=_draw_members(rng, people),
    )


def _draw_people(rng: random.Random) -> tuple[Person, ...]:
    return tuple(
        Person(
            user_id=f"usr-{number:012x}",
            devices=tuple(_name_device(number, place) for place in range(1, rng.randint(1, 3) + 1)),
            keeps_history=rng.random() < 0.3,
        )
        for number in range(1, rng.randint(4, 8) + 1)
    )


def _draw_members(rng: random.Random, people: tuple[Person, ...]) -> tuple[str, ...]:
    """Who is in the group from the start: at least two, the first one owns it."""
    return tuple(person.user_id for person in rng.sample(people, rng.randint(2, len(people))))


def _name_device(person: int, place: int) -> Device:
    """Device `place` of person `person`; the last four digits alone tell it."""
    return Device(f"usr-{person:012x}", f"dev-{person:010x}{place:02x}")


def _draw_faults(rng: random.Random) -> tuple[Fault, ...]:
    """Faults by time; two on one target never overlap."""
    faults: list[Fault] = []
    kinds = list(TARGETS)
    for _ in range(rng.randint(LEAST_FAULTS, MOST_FAULTS)):
        kind = rng.choice(kinds)
        least, most = FAULT_LASTS_MS[kind]
        faults.append(
            Fault(
                at_ms=rng.randrange(BEGIN_MS + BURST_MS, SPAN_MS),
                kind=kind,
                target=rng.choice(TARGETS[kind]),
                duration_ms=int(least * (most / least) ** rng.random()) if least else 0,
                step_ms=rng.choice(STEPS_MS) if kind is FaultKind.CLOCK_STEP else 0,
            )
        )
    return tuple(_keep_apart(faults))


def _keep_apart(faults: list[Fault]) -> Iterator[Fault]:
    """Push each fault behind the one before it on the same target, where they would overlap."""
    free_at: dict[str, int] = {}
    for fault in sorted(faults, key=lambda f: f.at_ms):
        at_ms = max(fault.at_ms, free_at.get(fault.target, 0))
        free_at[fault.target] = at_ms + fault.duration_ms + 500
        yield Fault(
            at_ms=at_ms,
            kind=fault.kind,
            target=fault.target,
            duration_ms=fault.duration_ms,
            step_ms=fault.step_ms,
        )


def _draw_operations(
    rng: random.Random, people: tuple[Person, ...], faults: tuple[Fault, ...]
) -> tuple[Operation, ...]:
    friends = _draw_friends(rng, people)
    numbers = {person.user_id: len(person.devices) for person in people}
    devices = {person.user_id: list(person.devices) for person in people}
    operations: list[Operation] = []
    for at_ms in _draw_times(rng, faults, rng.randint(LEAST_OPERATIONS, MOST_OPERATIONS)):
        number = rng.randrange(len(people))
        user_id = people[number].user_id
        act = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        device = rng.choice(devices[user_id])
        peer = rng.choice(friends[user_id])
        if act is Act.LOG_IN:
            numbers[user_id] += 1
            device = _name_device(number + 1, numbers[user_id])
            devices[user_id].append(device)
        count = rng.choice(BURST_SIZES) if act in (Act.SEND, Act.GROUP_SEND) else 1
        duration_ms = rng.randint(*_draw_lasting(rng, act))
        operations.append(
            Operation(at_ms=at_ms, device=device, act=act, peer=peer, count=count, duration_ms=duration_ms)
        )
        if act is Act.SEND and rng.random() < TWINS:
            twin = rng.choice(devices[peer])
            operations.append(Operation(at_ms=at_ms, device=twin, act=act, peer=user_id, count=count))
    return tuple(operations)


def _draw_lasting(rng: random.Random, act: Act) -> tuple[int, int]:
    """Between what limits something lasts."""
    if act is Act.OFFLINE and rng.random() < LONG_OFFLINE:
        return LONG_OFFLINE_MS
    return LASTS_MS.get(act, (0, 0))


def _draw_friends(rng: random.Random, people: tuple[Person, ...]) -> dict[str, list[str]]:
    """Whom each person writes to: the neighbours in a ring, so that few conversations have much to order."""
    ids = [person.user_id for person in people]
    rng.shuffle(ids)
    ring = {user_id: [ids[place - 1], ids[(place + 1) % len(ids)]] for place, user_id in enumerate(ids)}
    return {user_id: sorted(set(ring[user_id])) for user_id in sorted(ring)}


def _draw_times(rng: random.Random, faults: tuple[Fault, ...], count: int) -> list[int]:
    """Times of operations, no two the same, most of them close to the begin or the end of a fault."""
    taken: dict[int, None] = {}
    moments = [f.at_ms for f in faults] + [f.at_ms + f.duration_ms for f in faults]
    while len(taken) < count:
        if rng.random() < IN_BURSTS:
            at_ms = int(rng.gauss(rng.choice(moments), BURST_MS / 2))
        else:
            at_ms = rng.randrange(BEGIN_MS, SPAN_MS)
        taken[max(BEGIN_MS, at_ms)] = None
    return sorted(taken)


def _draw_call_rates(rng: random.Random) -> tuple[tuple[CallOutcome, float], ...]:
    if rng.random() < WITHOUT_CALL_FAULTS:
        return ()
    return tuple((outcome, rng.uniform(0.0, most)) for outcome, most in MOST_CALL_FAULT_RATES.items())
