"""What the people of a fault run do and when: drawn from a seed, before and apart from anything that happens.

A plan knows no device and no server. It draws numbers; whoever performs a step makes the best of them at that time (the
third of the two devices that are left is the first), so that a plan never depends on how the server answered.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

CIRCLE_SIZES = (3, 4, 5, 6)
MOST_DEVICES = 3
STRANGERS = 0.3  # how many people know somebody outside their circle
BURST_SIZES = (4, 16)
PICKS = 2**16


class Act(StrEnum):
    """What a person does."""

    WRITE = "write"  # one message
    BURST = "burst"  # several at once
    READ = "read"  # tell that the newest message of a conversation was read
    CUT = "cut"  # a connection ends without a word, the device comes back by itself
    SLEEP = "sleep"  # a device goes offline for some seconds
    LOG_IN = "log in"  # one more device
    LOG_OUT = "log out"  # one device less
    BLOCK = "block"  # for some seconds, then unblock
    GROUP_WRITE = "write to the group"  # one message
    GROUP_LEAVE = "leave the group"  # for some seconds, then the owner adds them again
    KEEP_HISTORY = "keep history"
    KEEP_NOTHING = "keep nothing"


# So many a second, all people together, where forty people send sixty messages a second.
STEPS_PER_SECOND: Mapping[Act, float] = {
    Act.READ: 1.0,
    Act.CUT: 0.5,
    Act.SLEEP: 0.3,
    Act.LOG_IN: 0.08,
    Act.LOG_OUT: 0.07,
    Act.BLOCK: 0.08,
    Act.GROUP_WRITE: 2.0,
    Act.GROUP_LEAVE: 0.1,
    Act.KEEP_HISTORY: 0.04,
    Act.KEEP_NOTHING: 0.04,
}
MESSAGES_IN_BURSTS = 0.5  # of all
SECONDS_OF_ACT: Mapping[Act, tuple[float, float]] = {
    Act.SLEEP: (1.0, 20.0),
    Act.BLOCK: (2.0, 15.0),
    Act.GROUP_LEAVE: (0.5, 10.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do: `at` and `seconds` in seconds, people by number; `pick` chooses among what there is then."""

    at: float
    act: Act
    person: int
    other: int
    pick: int
    count: int = 1
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who there is: the people each person writes to, and with how many devices each begins."""

    seed: int
    messages_per_second: float
    friends: tuple[tuple[int, ...], ...]
    devices: tuple[int, ...]

    @property
    def people(self) -> int:
        """How many there are."""
        return len(self.friends)

    def steps(self) -> Iterator[Step]:
        """The steps in the order of their times, without end; the same each time."""
        rng = random.Random(f"steps {self.seed}")
        rates = self._rates()
        acts, weights = list(rates), list(rates.values())
        at = 0.0
        while True:
            at += rng.expovariate(sum(weights))
            yield self._draw_step(at, rng.choices(acts, weights)[0], rng)

    def _rates(self) -> dict[Act, float]:
        """How many steps of each kind a second."""
        in_bursts = self.messages_per_second * MESSAGES_IN_BURSTS
        return {
            Act.WRITE: self.messages_per_second - in_bursts,
            Act.BURST: in_bursts / (sum(BURST_SIZES) / 2),
        } | dict(STEPS_PER_SECOND)

    def _draw_step(self, at: float, act: Act, rng: random.Random) -> Step:
        person = rng.randrange(self.people)
        return Step(
            at=at,
            act=act,
            person=person,
            other=rng.choice(self.friends[person]),
            pick=rng.randrange(PICKS),
            count=rng.randint(*BURST_SIZES) if act is Act.BURST else 1,
            seconds=rng.uniform(*SECONDS_OF_ACT.get(act, (0.0, 0.0))),
        )


def make_plan(seed: int, people: int, messages_per_second: float) -> Plan:
    """Draw who knows whom. Raises ValueError for fewer than two people."""
    if people < 2:
        raise ValueError(f"{people} cannot write to each other")
    rng = random.Random(f"people {seed}")
    friends = _draw_circles(people, rng)
    for person in range(people):
        if rng.random() < STRANGERS:
            stranger = rng.choice([other for other in range(people) if other != person])
            friends[person].add(stranger)
            friends[stranger].add(person)
    return Plan(
        seed=seed,
        messages_per_second=messages_per_second,
        friends=tuple(tuple(sorted(known)) for known in friends),
        devices=tuple(rng.randint(1, MOST_DEVICES) for _ in range(people)),
    )


def _draw_circles(people: int, rng: random.Random) -> list[set[int]]:
    """For each person the others of a circle; nobody is alone."""
    order = rng.sample(range(people), people)
    friends: list[set[int]] = [set() for _ in range(people)]
    while order:
        size = rng.choice(CIRCLE_SIZES)
        if len(order) - size < 2:
            size = len(order)
        circle, order = order[:size], order[size:]
        for person in circle:
            friends[person].update(other for other in circle if other != person)
    return friends
