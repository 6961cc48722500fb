"""Some days of a town's messages, from a seed: ordinary people of every kind, and spammers among them.

Ordinary people are not average people: a few write most of what is written, they have circles of friends, write to
strangers of whom some never answer and others only after hours, invite many at once, and some came only today.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

DAYS = 4
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
TALKERS, NEWCOMERS, BUSY = 50, 6, 3
"""How many of the people write by themselves; of these the last have new accounts, the first are very busy."""

ANSWERED = 0.7
"""Of the first messages to a stranger; what nobody answers is 30 %."""

INVITED, INVITED_BY_NEWCOMER = 110, 60
"""Strangers to whom the busiest, and a newcomer, write within an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message; the time counts from the beginning of the first day."""

    at_ms: int
    sender: str
    receiver: str


@dataclass(slots=True, kw_only=True)
class Town:
    """Who is who, and all letters in the order of their times. Everybody else answers, and never begins."""

    talkers: Sequence[str]
    spammers: Mapping[str, str]  # kind → user
    letters: list[Letter] = field(default_factory=list)
    strangers_written_to: int = 0
    strangers_who_answered: int = 0

    @property
    def busy(self) -> Sequence[str]:
        """Who writes most, the busiest first."""
        return self.talkers[:BUSY]

    @property
    def newcomers(self) -> Sequence[str]:
        """Who registered only now."""
        return self.talkers[-NEWCOMERS:]


def build_town(people: Sequence[str], seed: int) -> Town:
    """The town of these people, of whom there must be some hundreds: the same for the same people and seed."""
    rng = Random(seed)
    kinds = ("fast", "patient", "new")
    town = Town(
        talkers=people[:TALKERS],
        spammers=dict(zip(kinds, people[TALKERS : TALKERS + len(kinds)], strict=True)),
    )
    everybody = [one for one in people if one not in town.spammers.values()]
    town.letters += _list_conversations(town, rng)
    for talker in town.talkers:
        town.letters += _list_approaches(town, talker, everybody, rng)
    quiet = people[TALKERS + len(kinds) :]
    for kind, spammer in town.spammers.items():
        town.letters += _list_spam(kind, spammer, quiet, rng)
    town.letters.sort(key=lambda letter: letter.at_ms)
    return town


# --- Ordinary people -------------------------------------------------------------------------------------------------


def _list_conversations(town: Town, rng: Random) -> Iterator[Letter]:
    """Friends talk: how often is heavy-tailed over people, how long is so over conversations."""
    friends = _make_friends(town.talkers, rng)
    for talker in town.talkers:
        share = 40.0 if talker in town.busy else min(20.0, rng.paretovariate(1.1))
        for day in range(DAYS):
            for _ in range(round(1.5 * share)):
                # Most of it with a few of the friends.
                friend = friends[talker][min(int(rng.paretovariate(0.8)) - 1, len(friends[talker]) - 1)]
                yield from _talk(talker, friend, _time_of(day, rng), min(80, int(rng.paretovariate(0.9))), rng)


def _make_friends(talkers: Sequence[str], rng: Random) -> dict[str, list[str]]:
    """Circles of 3 to 12; who is in none has one friend."""
    found: dict[str, list[str]] = {talker: [] for talker in talkers}
    for _ in range(TALKERS // 3):
        circle = rng.sample(talkers, rng.choice((3, 3, 4, 5, 8, 12)))
        for one in circle:
            found[one] += [other for other in circle if other != one and other not in found[one]]
    for talker, friends in found.items():
        friends += [] if friends else [rng.choice([one for one in talkers if one != talker])]
        rng.shuffle(friends)
    return found


def _talk(first: str, second: str, at_ms: int, messages: int, rng: Random) -> Iterator[Letter]:
    """A conversation: several in a row by one, seconds apart, then the other's turn."""
    sender, receiver = first, second
    for _ in range(messages):
        yield Letter(at_ms=at_ms, sender=sender, receiver=receiver)
        at_ms += int(rng.expovariate(1 / 20_000))
        if rng.random() < 0.6:
            sender, receiver = receiver, sender
            at_ms += int(rng.lognormvariate(math.log(30_000), 1.2))


def _list_approaches(town: Town, talker: str, everybody: Sequence[str], rng: Random) -> Iterator[Letter]:
    """Somebody writes to strangers: a few in a day, the busy some dozens; and two people to very many in one hour."""
    strangers = [one for one in rng.sample(everybody, len(everybody)) if one != talker]
    for day in range(DAYS):
        count = rng.randint(15, 50) if talker in town.busy else rng.choice((0, 0, 0, 1, 1, 2, 4))
        times = [_time_of(day, rng) for _ in range(count)]
        if day == 1 and talker == town.busy[0]:
            times += _one_hour(day, INVITED, rng)
        if day == 0 and talker == town.newcomers[0]:
            times += _one_hour(day, INVITED_BY_NEWCOMER, rng)
        for at_ms in times:
            yield from _approach(town, talker, strangers.pop(), at_ms, rng)


def _approach(town: Town, talker: str, stranger: str, at_ms: int, rng: Random) -> Iterator[Letter]:
    town.strangers_written_to += 1
    for number in range(rng.choice((1, 1, 1, 2, 3))):
        yield Letter(at_ms=at_ms + 15_000 * number, sender=talker, receiver=stranger)
    if rng.random() < ANSWERED:
        town.strangers_who_answered += 1
        answered_ms = at_ms + 60_000 + int(rng.lognormvariate(math.log(20 * MINUTE_MS), 1.5))
        yield from _talk(stranger, talker, answered_ms, rng.randint(1, 6), rng)


def _time_of(day: int, rng: Random) -> int:
    """Some time between 7 and 24 o'clock, mostly in the evening."""
    return day * DAY_MS + int(rng.triangular(7, 24, 19.5) * HOUR_MS)


def _one_hour(day: int, count: int, rng: Random) -> list[int]:
    start_ms = day * DAY_MS + 18 * HOUR_MS
    return [start_ms + rng.randrange(HOUR_MS) for _ in range(count)]


# --- Spammers --------------------------------------------------------------------------------------------------------


def _list_spam(kind: str, spammer: str, quiet: Sequence[str], rng: Random) -> Iterator[Letter]:
    """One writes three messages a minute, one stays below every hour's limit, one has a new account. 3 % answer."""
    first_hour, last_hour, an_hour = {"fast": (9, 12, 180), "patient": (6, 24, 28), "new": (14, 16, 80)}[kind]
    victims = rng.sample(quiet, len(quiet))
    for day in range(DAYS):
        for number in range((last_hour - first_hour) * an_hour):
            at_ms = day * DAY_MS + first_hour * HOUR_MS + number * HOUR_MS // an_hour
            victim = victims[(day * 500 + number) % len(victims)]
            yield Letter(at_ms=at_ms, sender=spammer, receiver=victim)
            if rng.random() < 0.03:
                yield Letter(at_ms=at_ms + 5 * MINUTE_MS, sender=victim, receiver=spammer)
