"""The way to the log: order, one answer for each frame, and what happens when an append's outcome is unknown."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from apps.accounts.facts import NO_ACCOUNT, AccountFacts
from apps.ingest import batcher as batcher_module
from apps.ingest import permissions
from apps.ingest.batcher import IngestBatcher
from apps.ingest.gate import Gate
from apps.ingest.permissions import AccountDirectory
from apps.ingest.snowflake import SnowflakeIssuer
from apps.messagelog.base import Entry, LogUnavailable
from apps.protocol.client_frames import SendMessage
from apps.protocol.ids import SNOWFLAKE_EPOCH_MS
from apps.valkey.pools import close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace

A, B, C = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"
FINE = AccountFacts(exists=True, suspended=False, blocks=frozenset())
BLOCKS_A = AccountFacts(exists=True, suspended=False, blocks=frozenset({A}))


class Client:
    """A connection of which only the written frames matter."""

    def __init__(self, user_id: str = A, device_id: str = "dev-aaaaaaaaaaa1") -> None:
        self.user_id = user_id
        self.device_id = device_id
        self.frames: list[dict[str, Any]] = []

    def send(self, frame: str) -> None:
        self.frames.append(json.loads(frame))

    def codes(self) -> list[str]:
        return [frame.get("code", "✓") for frame in self.frames]


class Log:
    """An appender that keeps what it was given, and fails or waits when told."""

    def __init__(self) -> None:
        self.appended: list[list[Any]] = []
        self.asked = 0
        self.batches = 0
        self.fail = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.available = asyncio.Event()
        self.available.set()

    async def append(self, entries: Sequence[Entry]) -> list[int]:
        self.asked += 1
        await self.gate.wait()
        self.batches += 1
        self.appended += [json.loads(entry.payload) for entry in entries]
        if self.fail:
            self.fail -= 1
            raise LogUnavailable("no answer")
        return list(range(len(self.appended) - len(entries) + 1, len(self.appended) + 1))

    async def wait_until_available(self) -> None:
        await self.available.wait()


def frame(number: int | str, *, to: str = B, content: str = "x") -> SendMessage:
    return SendMessage(
        receiver_id=to,
        group_id=None,
        content=content,
        envelope=None,
        media=None,
        reply_to=None,
        client_id=number,
        sent_at_ms=1,
    )


class World:
    """A batcher on a real cache, with a log and accounts of our own."""

    def __init__(self) -> None:
        self.accounts = {A: FINE, B: FINE, C: FINE}
        self.lookups: list[list[str]] = []
        self.lookup_gate = asyncio.Event()
        self.lookup_gate.set()
        self.log = Log()
        self.directory = AccountDirectory(self._unused)
        self.directory._remember(dict(self.accounts))
        issuer = SnowflakeIssuer(lambda: SNOWFLAKE_EPOCH_MS + 1_000, lambda: 0.0)
        issuer.use_lease(1, 10.0)
        self.issuer = issuer
        gate = Gate(issuer=issuer, directory=self.directory, throttled=False, now_ms=lambda: 1_000)
        self.batcher = IngestBatcher(appender=self.log, gate=gate, directory=self.directory, now_ms=lambda: 5)

    async def _unused(self, work: Any) -> dict[str, AccountFacts]:
        await self.lookup_gate.wait()
        return {user_id: self.accounts.get(user_id, NO_ACCOUNT) for user_id in self.lookups.pop()}

    async def __aenter__(self) -> "World":
        self.task = asyncio.create_task(self.batcher.run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self.batcher.stop()
        await self.task
        await close_async_clients()


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def clean(inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher_module, "PAUSE_AFTER_FAILURE_SECONDS", 0.01)


async def test_frames_of_a_connection_are_appended_in_the_order_sent_and_each_gets_its_tick() -> None:
    client = Client()
    async with World() as world:
        for number in range(50):
            world.batcher.submit_message(client, frame(number))
    assert [record[4] for record in world.log.appended] == [f"i{number}" for number in range(50)]
    assert [one["message_id_by_client"] for one in client.frames] == list(range(50))
    sequences = [one["sequence"] for one in client.frames]
    assert sequences == sorted(set(sequences))


async def test_while_one_batch_becomes_durable_the_next_gathers() -> None:
    client = Client()
    async with World() as world:
        world.log.gate.clear()
        world.batcher.submit_message(client, frame("first"))
        await asyncio.sleep(0.02)
        for number in range(30):
            world.batcher.submit_message(client, frame(number))
        assert client.frames == [], "no tick before the append is durable"
        world.log.gate.set()
        await until(lambda: len(client.frames) == 31)
    assert world.log.batches == 2


async def test_a_repeated_frame_gets_the_same_id_and_makes_nothing_new() -> None:
    client, again = Client(), Client()
    async with World() as world:
        world.batcher.submit_message(client, frame(1))
        await until(lambda: client.frames)
        world.batcher.submit_message(again, frame(1))
        await until(lambda: again.frames)
    assert client.frames == again.frames
    assert [record[0] for record in world.log.appended] == ["m", "q"], "the second asks only how the first stands"


async def test_the_same_frame_twice_in_one_batch_is_one_record_and_two_ticks() -> None:
    client = Client()
    async with World() as world:
        world.batcher.submit_message(client, frame(1))
        world.batcher.submit_message(client, frame(1))
    assert len(world.log.appended) == 1
    assert client.frames[0] == client.frames[1]


async def test_other_content_under_the_same_client_id_is_a_conflict_and_another_devices_id_is_not() -> None:
    client, other_device = Client(), Client(device_id="dev-aaaaaaaaaaa2")
    async with World() as world:
        world.batcher.submit_message(client, frame(1))
        world.batcher.submit_message(client, frame(1, content="y"))
        world.batcher.submit_message(client, frame("1"))
        world.batcher.submit_message(other_device, frame(1, content="y"))
    assert sorted(client.codes()) == ["conflict", "✓", "✓"]
    assert other_device.codes() == ["✓"]


async def test_an_append_with_unknown_outcome_is_settled_with_the_same_ids_before_anything_newer() -> None:
    client = Client()
    async with World() as world:
        world.log.fail = 2
        world.log.available.clear()
        world.batcher.submit_message(client, frame(1))
        await until(lambda: client.codes() == ["unavailable"])
        world.batcher.submit_message(client, frame(2))
        assert client.codes() == ["unavailable", "unavailable"]
        world.log.available.set()
        await until(lambda: client.codes()[2:] == ["✓"])
        world.batcher.submit_message(client, frame(2))
    ids = [record[1] for record in world.log.appended if record[4] == "i1"]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert [record[4] for record in world.log.appended] == ["i1"] * 3 + ["i2"]


async def test_a_retry_of_what_was_settled_late_asks_the_log_again_for_only_the_relay_knows_the_first_position() -> (
    None
):
    client = Client()
    async with World() as world:
        world.log.fail = 1
        world.batcher.submit_message(client, frame(1))
        await until(lambda: client.codes()[1:] == ["✓"])
        world.batcher.submit_message(client, frame(1))
        await until(lambda: len(client.frames) == 3)
    assert [record[0] for record in world.log.appended] == ["m", "m", "m"]
    assert len({record[1] for record in world.log.appended}) == 1


async def test_a_tick_that_comes_after_the_relays_word_is_not_sent() -> None:
    """What is appended a second time has two positions, and the relay may say which counts while the append of the
    second still waits for its answer."""
    client, other = Client(), Client(device_id="dev-aaaaaaaaaaa2")
    async with World() as world:
        world.batcher.note_standing(client, "i2")
        world.log.gate.clear()
        for origin, number in ((client, 1), (client, 2), (other, 1)):
            world.batcher.submit_message(origin, frame(number))
        await until(lambda: world.log.asked)
        world.batcher.note_standing(client, "i1")
        world.log.gate.set()
        await until(lambda: client.frames and other.frames)
        world.batcher.submit_message(client, frame(3))
    assert [one["message_id_by_client"] for one in client.frames] == [2, 3], "1 had been told while it was under way"
    assert [one["message_id_by_client"] for one in other.frames] == [1]


async def test_accounts_that_are_not_known_hold_up_only_their_own_conversation() -> None:
    client = Client()
    async with World() as world:
        world.directory.forget([C])
        world.lookup_gate.clear()
        world.lookups.append([C])
        world.batcher.submit_message(client, frame(1, to=C))
        world.batcher.submit_message(client, frame(2, to=B))
        world.batcher.submit_message(client, frame(3, to=C))
        await until(lambda: [one["message_id_by_client"] for one in client.frames] == [2])
        world.batcher.submit_message(client, frame(4, to=C))
        world.lookup_gate.set()
        await until(lambda: len(client.frames) == 4)
    assert [record[4] for record in world.log.appended if record[6] == C] == ["i1", "i3", "i4"]


async def test_the_database_down_during_a_look_up_is_unavailable() -> None:
    client = Client()
    async with World() as world:
        world.directory.forget([C])
        world.lookups.clear()
        world.batcher.submit_message(client, frame(1, to=C))
        await until(lambda: client.frames)
    assert client.codes() == ["unavailable"]
    assert world.log.appended == []


@pytest.mark.parametrize(
    ("receiver", "facts", "code"),
    [
        ("usr-dddddddddddd", NO_ACCOUNT, "unknown_receiver"),
        (B, AccountFacts(exists=True, suspended=True, blocks=frozenset()), "unknown_receiver"),
        (B, AccountFacts(exists=True, suspended=False, blocks=frozenset({A})), "forbidden"),
        (A, FINE, "invalid_field"),
    ],
)
async def test_who_may_not_write_is_told_and_nothing_is_stored(receiver: str, facts: AccountFacts, code: str) -> None:
    client = Client()
    async with World() as world:
        world.accounts[receiver] = facts
        world.directory._remember({receiver: facts})
        world.lookups.append([A, receiver])
        world.batcher.submit_message(client, frame(1, to=receiver))
        await until(lambda: client.frames)
    assert client.codes() == [code]
    assert world.log.appended == []


async def test_a_retry_of_a_stored_message_is_answered_even_after_a_block() -> None:
    client = Client()
    async with World() as world:
        world.batcher.submit_message(client, frame(1))
        await until(lambda: client.frames)
        world.accounts[B] = BLOCKS_A
        world.directory._remember(dict(world.accounts))
        world.lookups.append([A, B])
        world.batcher.submit_message(client, frame(1))
        world.batcher.submit_message(client, frame(2))
        await until(lambda: len(client.frames) == 3)
    assert client.codes() == ["✓", "✓", "forbidden"]


async def test_nobody_is_refused_on_the_word_of_a_cache_that_is_older_than_the_database() -> None:
    client = Client()
    async with World() as world:
        world.directory._remember({B: BLOCKS_A})  # as a cache says that lost what was lifted since
        world.lookups.append([A, B])
        world.batcher.submit_message(client, frame(1))
        world.batcher.submit_message(client, frame(2))
        await until(lambda: len(client.frames) == 2)
    assert client.codes() == ["✓", "✓"]
    assert [record[4] for record in world.log.appended] == ["i1", "i2"]


async def test_what_the_database_has_just_said_refuses_without_asking_it_again() -> None:
    client = Client()
    async with World() as world:
        world.accounts[B] = BLOCKS_A
        world.directory._remember(dict(world.accounts))
        world.lookups.append([A, B])
        for number in range(20):
            world.batcher.submit_message(client, frame(number))
            await until(lambda: len(client.frames) == number + 1)  # noqa: B023 (it is awaited here)
    assert client.codes() == ["forbidden"] * 20


async def test_who_is_forgotten_is_asked_for_again_before_a_refusal() -> None:
    client = Client()
    async with World() as world:
        world.accounts[B] = BLOCKS_A
        world.directory._remember(dict(world.accounts))
        world.lookups.append([A, B])
        world.batcher.submit_message(client, frame(1))
        await until(lambda: client.frames)
        world.accounts[B] = FINE
        world.directory.forget([B])
        world.directory._remember({B: BLOCKS_A})
        world.lookups.append([B])
        world.batcher.submit_message(client, frame(2))
        await until(lambda: len(client.frames) == 2)
    assert client.codes() == ["forbidden", "✓"]


async def test_a_refusal_that_the_database_cannot_confirm_is_unavailable() -> None:
    client = Client()
    async with World() as world:
        world.directory._remember({B: BLOCKS_A})
        world.lookups.clear()
        world.batcher.submit_message(client, frame(1))
        await until(lambda: client.frames)
    assert client.codes() == ["unavailable"]


async def test_facts_that_changed_while_they_were_loaded_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = AccountDirectory(World()._unused)

    async def load(user_ids: Sequence[str]) -> dict[str, AccountFacts]:
        directory.forget([B])
        return {A: FINE, B: FINE}

    monkeypatch.setattr(permissions, "_read_cached", load)
    await directory.learn_from_cache([A, B])
    assert directory.unknown([A, B]) == [B]


async def test_somebody_forgotten_while_others_are_looked_up_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client()
    async with World() as world:
        world.directory.forget([C])

        async def load(user_ids: Sequence[str]) -> dict[str, AccountFacts]:
            world.directory.forget([B])
            return {C: FINE}

        monkeypatch.setattr(permissions, "_read_cached", load)
        world.lookups.append([B])
        world.batcher.submit_message(client, frame(1, to=B))
        world.batcher.submit_message(client, frame(2, to=C))
        await until(lambda: len(client.frames) == 2)
    assert client.codes() == ["✓", "✓"]


async def test_the_61st_message_within_a_minute_is_limited_and_a_retry_is_not(settings: Any) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 60
    client = Client()
    async with World() as world:
        for number in range(60):
            world.batcher.submit_message(client, frame(number))
        world.batcher.submit_message(client, frame(60))
        await until(lambda: len(client.frames) == 61)
        (limited,) = [one for one in client.frames if one["action"] == "error"]
        assert (limited["code"], limited["message_id_by_client"]) == ("rate_limited", 60)
        assert 50_000 < limited["retry_after_ms"] <= 60_000
        world.batcher.submit_message(client, frame(0))
        await until(lambda: len(client.frames) == 62)
        assert client.codes()[-1] == "✓"
    assert len([record for record in world.log.appended if record[0] == "m"]) == 60


async def test_without_a_worker_number_nothing_new_is_taken() -> None:
    client = Client()
    async with World() as world:
        world.issuer.use_lease(1, -1.0)
        world.batcher.submit_message(client, frame(1))
        await until(lambda: client.frames)
    assert client.codes() == ["unavailable"]


async def test_a_full_queue_is_overloaded_never_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher_module, "MAX_QUEUED", 3)
    client = Client()
    async with World() as world:
        world.log.gate.clear()
        world.batcher.submit_message(client, frame("first"))
        await asyncio.sleep(0.02)
        for number in range(5):
            world.batcher.submit_message(client, frame(number))
        assert client.codes() == ["overloaded", "overloaded"]
        world.log.gate.set()
        await until(lambda: len(client.frames) == 6)


async def test_the_site_wide_throttle_refuses_what_is_above_five_times_the_steady_state(settings: Any) -> None:
    settings.STEADY_MESSAGES_PER_SECOND = 2
    client = Client()
    world = World()
    gate = Gate(issuer=world.issuer, directory=world.directory, throttled=True, now_ms=lambda: 7_000)
    world.batcher = IngestBatcher(appender=world.log, gate=gate, directory=world.directory, now_ms=lambda: 7)
    async with world:
        for number in range(13):
            world.batcher.submit_message(client, frame(number))
        await until(lambda: len(client.frames) == 13)
    assert client.codes().count("✓") == 10
    assert client.codes().count("overloaded") == 3
    assert all("retry_after_ms" in one for one in client.frames if "code" in one)


async def test_confirmations_of_a_device_gather_in_one_record() -> None:
    client = Client()
    async with World() as world:
        world.log.gate.clear()
        world.batcher.submit_confirmation(client, ["msg-0"])
        await asyncio.sleep(0.02)
        for number in range(1, 4):
            assert world.batcher.submit_confirmation(client, [f"msg-{number}"])
        world.log.gate.set()
    assert [record[3] for record in world.log.appended] == [["msg-0"], ["msg-1", "msg-2", "msg-3"]]


async def test_the_cache_down_is_unavailable_and_confirmations_go_on(settings: Any) -> None:
    settings.INBOX_REDIS_URL = "redis://127.0.0.1:1"
    client = Client()
    async with World() as world:
        world.batcher.submit_message(client, frame(1))
        world.batcher.submit_confirmation(client, ["msg-0"])
        await until(lambda: client.frames and world.log.appended)
    assert client.codes() == ["unavailable"]
    assert world.log.appended[0][0] == "d"


@pytest.mark.parametrize(("per_minute", "codes"), [(60, ["✓", "✓", "rate_limited"]), (0, ["✓", "✓", "✓"])])
async def test_who_is_taken_for_a_spammer_may_send_little_unless_limits_are_off(
    settings: Any, per_minute: int, codes: list[str]
) -> None:
    settings.RATE_LIMIT_PER_MINUTE = per_minute
    client, other = Client(), Client(user_id=C)
    async with World() as world:
        world.directory._remember({A: replace(FINE, messages_per_minute=2)})
        for number in range(3):
            world.batcher.submit_message(client, frame(number))
            world.batcher.submit_message(other, frame(number))
        await until(lambda: len(client.frames) + len(other.frames) == 6)
    assert sorted(client.codes(), reverse=True) == sorted(codes, reverse=True)
    assert other.codes() == ["✓"] * 3
