"""Messages to groups before the log: who may write there, and whose turn it is where slow mode is on."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from apps.accounts.facts import NO_ACCOUNT, AccountFacts
from apps.groups.facts import GroupFacts, MemberFacts, member_key
from apps.groups.keys import slow_key
from apps.ingest import gate as gate_module
from apps.ingest import permissions
from apps.ingest.batcher import IngestBatcher
from apps.ingest.gate import Admitted, Gate
from apps.ingest.permissions import MEMBERSHIP_SECONDS, AccountDirectory, check_may_send, list_parties
from apps.ingest.snowflake import SnowflakeIssuer
from apps.ingest.submission import MessageSubmission
from apps.messagelog.base import Entry
from apps.protocol.client_frames import SendMessage
from apps.protocol.ids import SNOWFLAKE_EPOCH_MS
from apps.valkey.pools import ValkeyError, close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace

A, B = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb"
GROUP, OTHER = "grp-0123456789ab", "grp-ffffffffffff"
FINE = AccountFacts(exists=True, suspended=False, blocks=frozenset())
SUSPENDED = AccountFacts(exists=True, suspended=True, blocks=frozenset())
SLOW = GroupFacts(exists=True, slow_mode_seconds=30)
MEMBER, NOBODY = MemberFacts(role="member", from_sequence=1), MemberFacts(role="")
KNOWN: dict[str, Any] = {
    A: FINE,
    B: FINE,
    GROUP: SLOW,
    OTHER: SLOW,
    **{member_key(group, user): MEMBER for group in (GROUP, OTHER) for user in (A, B)},
}


class Client:
    """A connection of which only the written frames matter."""

    def __init__(self, user_id: str = A) -> None:
        self.user_id = user_id
        self.device_id = f"dev-{user_id[4:]}"
        self.frames: list[dict[str, Any]] = []

    def send(self, frame: str) -> None:
        self.frames.append(json.loads(frame))

    def codes(self) -> list[str]:
        return [frame.get("code", "✓") for frame in self.frames]


def frame(number: int, *, group_id: str = GROUP, content: str = "x") -> SendMessage:
    return SendMessage(
        receiver_id=None,
        group_id=group_id,
        content=content,
        envelope=None,
        media=None,
        reply_to=None,
        client_id=number,
        sent_at_ms=1,
    )


def make_issuer() -> SnowflakeIssuer:
    issuer = SnowflakeIssuer(lambda: SNOWFLAKE_EPOCH_MS + 1_000, lambda: 0.0)
    issuer.use_lease(1, 10.0)
    return issuer


# -- slow mode -------------------------------------------------------------------------------------------------------


class SlowDoor:
    """A gate over facts that are known, and a log that makes everything durable at once."""

    def __init__(self, valkey: SyncKeyspace, *, throttled: bool = False) -> None:
        self.directory = AccountDirectory(self._unused)
        self.directory._known.update(KNOWN)
        self.issuer = make_issuer()
        self.gate = Gate(issuer=self.issuer, directory=self.directory, throttled=throttled, now_ms=lambda: 7_000)
        self._valkey = valkey
        self._done: list[Any] = []

    async def _unused(self, work: Callable[[], Any]) -> dict[str, Any]:
        raise AssertionError("everything is known")

    async def submit(self, *frames: tuple[Client, SendMessage]) -> Admitted:
        """Let a batch through, and append what was admitted."""
        done, self._done = self._done, []
        batch = [MessageSubmission(client, one) for client, one in frames]
        admitted = await self.gate.pass_batch(batch, done)
        for sequence, submission in enumerate((*admitted.new, *admitted.unsettled), 1):
            submission.acknowledge(sequence)
        self._done = [one.to_done(sequence) for sequence, one in enumerate(admitted.new, 1)]
        return admitted

    def let_turn_pass(self, client: Client, group_id: str = GROUP) -> None:
        """So many seconds later."""
        self._valkey.execute("DEL", slow_key(group_id, client.user_id))

    def turn(self, client: Client, group_id: str = GROUP) -> int:
        """Ms until the client may write again; 0 for now."""
        return max(0, int(self._valkey.execute("PTTL", slow_key(group_id, client.user_id))))


@pytest.fixture
async def door(inbox_valkey: SyncKeyspace) -> Any:
    yield SlowDoor(inbox_valkey)
    await close_async_clients()


async def test_a_member_waits_between_two_messages_and_nobody_else_does(door: SlowDoor) -> None:
    ada, bob = Client(), Client(B)
    for number in (1, 2):
        await door.submit((ada, frame(number)))
    await door.submit((ada, frame(3, group_id=OTHER)), (bob, frame(1)))
    assert (ada.codes(), bob.codes()) == (["✓", "rate_limited", "✓"], ["✓"])
    assert 29_000 < ada.frames[1]["retry_after_ms"] <= 30_000
    door.let_turn_pass(ada)
    await door.submit((ada, frame(2)))
    assert ada.codes()[-1] == "✓"


async def test_of_two_messages_in_one_batch_the_first_has_the_turn(door: SlowDoor) -> None:
    ada = Client()
    admitted = await door.submit((ada, frame(1)), (ada, frame(2)))
    assert [one.frame.client_id for one in admitted.new] == [1]
    assert sorted(ada.codes()) == ["rate_limited", "✓"]


async def test_a_retry_of_a_sent_frame_is_not_refused(door: SlowDoor) -> None:
    ada = Client()
    await door.submit((ada, frame(1)))
    await door.submit((ada, frame(1)))
    admitted = await door.submit((ada, frame(1)))
    assert ada.codes() == ["✓"] * 3
    assert (admitted.new, len(admitted.questions)) == ([], 1)


async def test_the_same_frame_twice_in_one_batch_is_one_message(door: SlowDoor) -> None:
    ada = Client()
    admitted = await door.submit((ada, frame(1)), (ada, frame(1)))
    assert (len(admitted.new), ada.codes()) == (1, ["✓", "✓"])


async def test_a_late_retry_takes_no_turn(door: SlowDoor) -> None:
    ada = Client()
    await door.submit((ada, frame(1)))
    door.let_turn_pass(ada)
    await door.submit((ada, frame(1)))
    assert door.turn(ada) == 0
    await door.submit((ada, frame(2)))
    assert ada.codes() == ["✓", "✓", "✓"]
    assert door.turn(ada) > 0


async def test_other_words_under_a_used_client_id_take_no_turn(door: SlowDoor) -> None:
    ada = Client()
    await door.submit((ada, frame(1)))
    door.let_turn_pass(ada)
    await door.submit((ada, frame(1, content="y")))
    assert (ada.codes(), door.turn(ada)) == (["✓", "conflict"], 0)


async def test_what_could_not_be_taken_takes_no_turn(door: SlowDoor) -> None:
    """Or whoever sends it again as they are told would wait for an hour, perhaps, for nothing."""
    ada = Client()
    door.issuer.use_lease(1, -1.0)
    await door.submit((ada, frame(1)))
    door.issuer.use_lease(1, 10.0)
    await door.submit((ada, frame(1)))
    assert ada.codes() == ["unavailable", "✓"]


async def test_what_is_over_the_rate_takes_no_turn(door: SlowDoor, settings: Any) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 1
    ada = Client()
    await door.submit((ada, frame(1, group_id=OTHER)))
    await door.submit((ada, frame(2)))
    assert (ada.codes(), door.turn(ada)) == (["✓", "rate_limited"], 0)


async def test_what_a_cache_that_fails_meanwhile_did_not_admit_takes_no_turn(
    door: SlowDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: Any) -> list[Any]:
        raise ValkeyError("away for a moment")

    ada, bob = Client(), Client(B)
    await door.submit((bob, frame(1)))
    with monkeypatch.context() as patch:
        patch.setattr(gate_module, "admit", fail)
        with pytest.raises(ValkeyError):
            await door.submit((ada, frame(1)), (bob, frame(2)))
    assert door.turn(ada) == 0
    assert door.turn(bob) > 0, "this one is of what was sent before"
    await door.submit((ada, frame(1)))
    assert ada.codes() == ["✓"]


async def test_what_the_throttle_refuses_takes_no_turn(inbox_valkey: SyncKeyspace, settings: Any) -> None:
    settings.STEADY_MESSAGES_PER_SECOND = 0
    door, ada = SlowDoor(inbox_valkey, throttled=True), Client()
    await door.submit((ada, frame(1)))
    assert (ada.codes(), door.turn(ada)) == (["overloaded"], 0)
    await close_async_clients()


@pytest.mark.parametrize("role", ["admin", "owner"])
async def test_admins_are_exempt(door: SlowDoor, role: str) -> None:
    ada = Client()
    door.directory._known[member_key(GROUP, A)] = MemberFacts(role=role)
    await door.submit(*((ada, frame(number)) for number in range(3)))
    assert (ada.codes(), door.turn(ada)) == (["✓"] * 3, 0)


async def test_without_slow_mode_nothing_is_asked(door: SlowDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*args: Any) -> list[int]:
        raise AssertionError("asked")

    monkeypatch.setattr(gate_module, "take_turns", ask)
    monkeypatch.setattr(gate_module, "give_back_turns", ask)
    ada = Client()
    door.directory._known[GROUP] = GroupFacts(exists=True)
    await door.submit((ada, frame(1)), (ada, frame(2)))
    assert ada.codes() == ["✓", "✓"]


async def test_who_may_not_write_takes_no_turn(door: SlowDoor) -> None:
    ada = Client()
    door.directory._known[GROUP] = GroupFacts(exists=True, frozen=True, slow_mode_seconds=30)
    await door.submit((ada, frame(1)))
    assert (ada.codes(), door.turn(ada)) == (["forbidden"], 0)


async def test_a_cache_that_is_down_refuses_nobody_by_slow_mode(door: SlowDoor, settings: Any) -> None:
    settings.INBOX_REDIS_URL = "redis://127.0.0.1:1"
    ada = Client()
    with pytest.raises(ValkeyError):
        await door.submit((ada, frame(1)))
    assert ada.codes() == []


# -- permissions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({GROUP: GroupFacts(exists=False)}, "not_a_member"),
        ({member_key(GROUP, A): NOBODY}, "not_a_member"),
        ({A: SUSPENDED}, "forbidden"),
        ({A: NO_ACCOUNT}, "forbidden"),
        ({GROUP: GroupFacts(exists=True, frozen=True)}, "forbidden"),
        ({GROUP: GroupFacts(exists=True, frozen=True), member_key(GROUP, A): MemberFacts(role="owner")}, "forbidden"),
        ({GROUP: GroupFacts(exists=True, only_admins_write=True)}, "forbidden"),
        (
            {GROUP: GroupFacts(exists=True, only_admins_write=True), member_key(GROUP, A): MemberFacts(role="admin")},
            None,
        ),
        ({GROUP: GroupFacts(exists=True, is_polled=True)}, None),
    ],
)
def test_who_may_write_to_a_group(changes: dict[str, Any], code: str | None) -> None:
    directory = AccountDirectory(None)  # type: ignore[arg-type]
    directory._known.update({**KNOWN, **changes})
    refusal = check_may_send(A, frame(1), directory)
    assert (refusal and refusal.code) == code


def test_a_message_to_a_group_is_judged_by_its_sender_the_group_and_the_membership() -> None:
    assert list_parties(A, frame(1)) == [A, GROUP, member_key(GROUP, A)]


class Log:
    """An appender that keeps what it was given."""

    def __init__(self) -> None:
        self.appended: list[Any] = []

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        self.appended += [json.loads(entry.payload) for entry in entries]
        return list(range(len(self.appended) - len(entries) + 1, len(self.appended) + 1))

    async def wait_until_available(self) -> None:
        """It always is."""

    def close(self) -> None:
        """There is nothing to close."""


class Door:
    """A batcher over a cache and a database that may say different things of the same names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        no_slow_mode = {GROUP: GroupFacts(exists=True), OTHER: GroupFacts(exists=True)}
        self.database: dict[str, Any] = {**KNOWN, **no_slow_mode}
        self.cache: dict[str, Any] = {}
        self.asked: list[list[str]] = []
        self.log = Log()
        self.directory = AccountDirectory(self._run)
        gate = Gate(issuer=make_issuer(), directory=self.directory, throttled=False, now_ms=lambda: 1_000)
        self.batcher = IngestBatcher(appender=self.log, gate=gate, directory=self.directory, now_ms=lambda: 5)
        monkeypatch.setattr(permissions, "_read_cached", self._read_cached)
        monkeypatch.setattr(permissions, "_cache_facts", self._load)

    async def _read_cached(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.cache[name] for name in names if name in self.cache}

    async def _run(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return work()

    def _load(self, names: Sequence[str]) -> dict[str, Any]:
        self.asked.append(sorted(names))
        return {name: self.database[name] for name in names}

    async def send(self, client: Client, *numbers: int) -> None:
        """Submit, and wait for all answers."""
        expected = len(client.frames) + len(numbers)
        for number in numbers:
            self.batcher.submit_message(client, frame(number))
        async with asyncio.timeout(5):
            while len(client.frames) < expected:
                await asyncio.sleep(0.002)


@pytest.fixture
async def opened(inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch) -> Any:
    door = Door(monkeypatch)
    task = asyncio.create_task(door.batcher.run())
    yield door
    door.batcher.stop()
    await task
    await close_async_clients()


async def test_facts_that_nobody_knows_are_looked_up_and_then_known(opened: Door) -> None:
    ada = Client()
    await opened.send(ada, 1, 2)
    await opened.send(ada, 3)
    assert ada.codes() == ["✓"] * 3
    assert opened.asked == [sorted([A, GROUP, member_key(GROUP, A)])]
    assert [(record[0], record[7]) for record in opened.log.appended] == [("m", GROUP)] * 3


async def test_what_the_cache_knows_is_not_asked_of_the_database(opened: Door) -> None:
    opened.cache = {A: FINE, GROUP: GroupFacts(exists=True), member_key(GROUP, A): MEMBER}
    ada = Client()
    await opened.send(ada, 1)
    assert (ada.codes(), opened.asked) == (["✓"], [])


async def test_a_member_is_refused_only_on_the_databases_word(opened: Door) -> None:
    """The cache may be older: it may have lost that somebody joined, or that a group was unfrozen."""
    opened.cache = {A: FINE, GROUP: GroupFacts(exists=True, frozen=True), member_key(GROUP, A): NOBODY}
    ada = Client()
    await opened.send(ada, 1, 2)
    assert ada.codes() == ["✓", "✓"]
    assert [record[4] for record in opened.log.appended] == ["i1", "i2"]
    assert len(opened.asked) == 1


async def test_who_is_no_member_is_told_and_the_database_is_not_asked_each_time(opened: Door) -> None:
    opened.database[member_key(GROUP, A)] = NOBODY
    ada = Client()
    for number in range(5):
        await opened.send(ada, number)
    assert ada.codes() == ["not_a_member"] * 5
    assert opened.log.appended == []
    assert len(opened.asked) == 1


@pytest.mark.parametrize(
    ("name", "facts", "code"),
    [
        (member_key(GROUP, A), NOBODY, "not_a_member"),
        (GROUP, GroupFacts(exists=True, frozen=True), "forbidden"),
        (GROUP, GroupFacts(exists=False), "not_a_member"),
    ],
)
async def test_what_changes_is_forgotten_and_looked_up_anew(opened: Door, name: str, facts: Any, code: str) -> None:
    ada = Client()
    await opened.send(ada, 1)
    before, opened.database[name] = opened.database[name], facts
    opened.directory.forget([name])
    await opened.send(ada, 2)
    opened.database[name] = before
    opened.directory.forget([name])
    await opened.send(ada, 3)
    assert ada.codes() == ["✓", code, "✓"]


async def test_a_membership_that_was_learnt_too_long_ago_is_looked_up_and_known_meanwhile(
    opened: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may have said that somebody was removed."""
    ada, name = Client(), member_key(GROUP, A)
    await opened.send(ada, 1)
    assert opened.directory.unknown([A, GROUP, name]) == []
    # Not the module's own function: the event loop goes by that one.
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + MEMBERSHIP_SECONDS)
    monkeypatch.setattr(permissions, "time", clock)
    assert opened.directory.unknown([A, GROUP, name]) == [name]
    assert opened.directory.find_member(GROUP, A) == MEMBER
    opened.database[name] = NOBODY
    await opened.send(ada, 2)
    assert ada.codes() == ["✓", "not_a_member"]


async def test_a_membership_is_known_by_its_group_and_its_user(opened: Door) -> None:
    opened.database[member_key(GROUP, B)] = NOBODY
    ada, bob = Client(), Client(B)
    await opened.send(ada, 1)
    await opened.send(bob, 1)
    assert (ada.codes(), bob.codes()) == (["✓"], ["not_a_member"])
