"""Who is taken for a spammer: spammers are, and the fifty people among whom they are are not."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.facts import load_facts
from apps.accounts.models import Reputation, User
from apps.accounts.services.reputation import lift_expired_limits, lower_reputation, restore_reputation
from apps.messagelog.base import LogRecord
from apps.moderation.models import Report
from apps.protocol.records import ConversationRead, MessageSubmitted, encode_record
from apps.spam import runner
from apps.spam.runner import score_records
from apps.spam.scoring import Thresholds, score
from apps.spam.tracking import Activity, track_messages
from tests.unit.spam.traffic import DAYS, Town, build_town

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW = 1_800_000_000_000
LIMITS = Thresholds(unanswered_hour=40, unanswered_day=150, new_days=3, new_share=0.5, new_messages_hour=1_200)


def activity(hour: int = 0, day: int = 0, messages: int = 0) -> Activity:
    return Activity(unanswered_hour=hour, unanswered_day=day, messages_hour=messages)


@pytest.mark.parametrize(
    ("what", "days", "is_spam"),
    [
        (activity(hour=39, day=149, messages=100_000), 30, False),
        (activity(hour=40, day=40), 30, True),
        (activity(hour=1, day=150), 30, True),
        (activity(hour=19, day=74, messages=1_199), 1, False),
        (activity(hour=20, day=20), 1, True),
        (activity(messages=1_200), 1, True),
    ],
)
def test_what_is_taken_for_spam(what: Activity, days: float, is_spam: bool) -> None:
    found = score(what, days, LIMITS)
    assert (found.points >= 1.0) is is_spam
    assert found.reason


class Clock:
    """The time that the scorer sees, in ms."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now / 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, cache_valkey: str) -> Clock:
    made = Clock()
    monkeypatch.setattr(runner, "time", made)
    return made


def test_only_those_who_do_not_answer_count(cache_valkey: str) -> None:
    sent = [("s", f"r{number}") for number in range(10)]
    assert track_messages(sent, NOW)["s"] == activity(hour=10, day=10, messages=10)
    track_messages([("r1", "s"), ("r2", "s")], NOW)
    assert track_messages([("s", "r1"), ("s", "r2")], NOW)["s"] == activity(hour=8, day=8, messages=12)


def test_writing_to_one_person_again_and_again_counts_once(cache_valkey: str) -> None:
    assert track_messages([("s", "r")] * 50, NOW)["s"] == activity(hour=1, day=1, messages=50)


def test_old_attempts_are_forgotten(cache_valkey: str) -> None:
    track_messages([("s", f"r{number}") for number in range(10)], NOW)
    assert track_messages([("s", "r10")], NOW + 2 * HOUR_MS)["s"] == activity(hour=1, day=11, messages=1)
    assert track_messages([("s", "r11")], NOW + DAY_MS + 1)["s"].unanswered_day == 2


def record(sender: str, receiver: str, number: int) -> LogRecord:
    message = MessageSubmitted(
        message_id=f"msg-{number:016x}",
        sender_id=sender,
        sender_device="dev-000000000000",
        client_id=f"i{number}",
        digest="d",
        receiver_id=receiver,
        group_id=None,
        content="whatever",
        envelope=None,
        media=None,
        reply_to=None,
        timestamp_ms=NOW,
        sent_at_ms=NOW,
    )
    return LogRecord(partition=0, position=number, sequence=number, payload=encode_record(message).decode())


@pytest.fixture
def people(db: None, clock: Clock) -> list[User]:
    """Two hundred users who registered long ago."""
    users = [User(username=f"person{number:03}", display_name="x", avatar_color="#000000") for number in range(200)]
    User.objects.bulk_create(users)
    User.objects.update(date_joined=timezone.now() - timedelta(days=100))
    return users


@pytest.mark.django_db(transaction=True)
def test_a_spammer_is_caught_limited_and_reported_once(people: list[User], clock: Clock) -> None:
    spammer, *others = people
    for number, other in enumerate(others):
        clock.now += 20_000  # three a minute, all day
        score_records([record(spammer.pk, other.pk, number)])
    report = Report.objects.get()
    assert (report.reported_user_id, report.reporter_id, report.repeats) == (spammer.pk, None, 0)
    found = Reputation.objects.get()
    assert report.reason == found.reason
    assert (found.user_id, found.messages_per_minute, found.times_limited) == (spammer.pk, 5, 1)
    assert "have not answered" in found.reason
    assert load_facts([spammer.pk])[spammer.pk].messages_per_minute == 5


@pytest.fixture
def town(people: list[User]) -> Town:
    """Those two hundred and five hundred more; newcomers registered yesterday, and go on being that new."""
    more = [User(username=f"more{number:03}", display_name="x", avatar_color="#000000") for number in range(500)]
    User.objects.bulk_create(more)
    User.objects.update(date_joined=timezone.now() - timedelta(days=100))
    built = build_town([one.pk for one in (*people, *more)], seed=7)
    new = [*built.newcomers, built.spammers["new"]]
    User.objects.filter(pk__in=new).update(date_joined=timezone.now() - timedelta(days=1))
    return built


def live_through(town: Town, clock: Clock, days: range) -> None:
    """Let the scorer read the letters of these days, as they come: those of each five minutes as a batch."""
    span_ms = 5 * 60_000
    letters = [one for one in enumerate(town.letters) if days.start * DAY_MS <= one[1].at_ms < days.stop * DAY_MS]
    for span, batch in groupby(letters, key=lambda one: one[1].at_ms // span_ms):
        clock.now = NOW + (span + 1) * span_ms
        score_records([record(letter.sender, letter.receiver, number) for number, letter in batch])


def list_limited() -> set[str]:
    reported = set(Report.objects.values_list("reported_user_id", flat=True))
    assert reported == set(Reputation.objects.values_list("user_id", flat=True))
    return reported


@pytest.fixture
def most_unanswered(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """User → the most people within an hour who had not answered, as the scorer saw it."""
    found: dict[str, int] = defaultdict(int)

    def track_and_note(pairs: Sequence[tuple[str, str]], now_ms: int) -> dict[str, Activity]:
        standing = track_messages(pairs, now_ms)
        for user_id, one in standing.items():
            found[user_id] = max(found[user_id], one.unanswered_hour)
        return standing

    monkeypatch.setattr(runner, "track_messages", track_and_note)
    return found


@pytest.mark.django_db(transaction=True)
def test_of_a_town_the_spammers_are_caught_on_the_first_day_and_nobody_else_ever_is(
    town: Town, clock: Clock, settings: Any, most_unanswered: dict[str, int]
) -> None:
    live_through(town, clock, range(1))
    assert list_limited() == set(town.spammers.values())
    live_through(town, clock, range(1, DAYS))
    assert list_limited() == set(town.spammers.values())
    # The trace comes near the limits, else it shows nothing.
    limit = settings.SPAM_UNANSWERED_PER_HOUR
    assert 0.5 * limit < most_unanswered[town.busy[0]] < limit
    assert 0.5 * limit / 2 < most_unanswered[town.newcomers[0]] < limit / 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("stricter", "caught"),
    [({"SPAM_UNANSWERED_PER_HOUR": 60}, "busiest"), ({"SPAM_NEW_ACCOUNT_PERCENT": 25}, "newcomer")],
    ids=str,
)
def test_the_town_has_people_whom_stricter_limits_would_catch(
    town: Town, clock: Clock, settings: Any, stricter: dict[str, int], caught: str
) -> None:
    for name, value in stricter.items():
        setattr(settings, name, value)
    live_through(town, clock, range(2))
    assert {"busiest": town.busy[0], "newcomer": town.newcomers[0]}[caught] in list_limited()


def test_the_town_is_what_it_says() -> None:
    people = [f"usr-{number:012x}" for number in range(700)]
    town = build_town(people, seed=7)
    assert town.letters == build_town(people, seed=7).letters, "the same for the same seed"
    assert town.letters != build_town(people, seed=8).letters
    written = Counter(letter.sender for letter in town.letters if letter.sender in town.talkers)
    assert sum(count for _, count in written.most_common(5)) > 0.4 * written.total(), "a tenth writes much of it all"
    assert min(written.values()) < 50 < 1_000 < max(written.values())
    assert 0.65 < town.strangers_who_answered / town.strangers_written_to < 0.75
    peers = {one: {letter.receiver for letter in town.letters if letter.sender == one} for one in town.talkers}
    assert min(map(len, peers.values())) < 12
    assert max(map(len, peers.values())) > 150
    assert len(town.newcomers) >= 5


@pytest.mark.django_db(transaction=True)
def test_what_is_no_message_and_what_is_broken_is_passed_over(people: list[User], clock: Clock) -> None:
    read = ConversationRead(
        user_id=people[0].pk,
        device_id="dev-000000000000",
        told=people[1].pk,
        message_id="msg-0000000000000001",
        timestamp_ms=NOW,
    )
    payloads = [encode_record(read).decode(), "broken", ""]
    score_records([LogRecord(partition=0, position=1, sequence=1, payload=payload) for payload in payloads])
    assert not Reputation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_staff_and_unknown_users_are_not_scored(people: list[User], clock: Clock) -> None:
    robot = people[0]
    User.objects.filter(pk=robot.pk).update(is_staff=True)
    for sender in (robot.pk, "usr-000000000000"):
        score_records([record(sender, other.pk, number) for number, other in enumerate(people[1:])])
    assert not Reputation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_limit_ends_by_itself_or_by_a_moderator_and_may_come_again(people: list[User], cache_valkey: str) -> None:
    user_id = people[0].pk
    assert lower_reputation(user_id, points=1.5, reason="x")
    assert not lower_reputation(user_id, points=2.0, reason="y"), "once until it ends"
    assert lift_expired_limits() == 0
    Reputation.objects.update(limited_until=timezone.now() - timedelta(seconds=1))
    assert load_facts([user_id])[user_id].messages_per_minute is None
    assert lift_expired_limits() == 1
    assert lower_reputation(user_id, points=1.5, reason="z")
    restore_reputation(user_id)
    assert load_facts([user_id])[user_id].messages_per_minute is None
    assert Reputation.objects.get().times_limited == 2
    assert not lower_reputation(user_id, points=1.5, reason="z"), "what was found is found again with each message"
    Reputation.objects.update(spared_until=timezone.now() - timedelta(seconds=1))
    assert lower_reputation(user_id, points=1.5, reason="z"), "a moderator's word stands as long as a limit would"


@pytest.mark.django_db(transaction=True)
def test_nobody_is_spared_of_whom_nothing_was_found(people: list[User], cache_valkey: str) -> None:
    restore_reputation(people[0].pk)
    assert lower_reputation(people[0].pk, points=1.5, reason="x")
