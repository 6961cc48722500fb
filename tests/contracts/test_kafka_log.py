"""What only the log on Kafka has: readers that share its partitions, topics of a cluster, and clients that fail."""

import asyncio
import gc
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from kafka import KafkaProducer, TopicPartition

from apps.messagelog.base import (
    Entry,
    KnownLog,
    LogNotSetUp,
    LogReader,
    LogRecord,
    LogUnavailable,
    partition_of,
    sequence_of,
)
from apps.messagelog.kafka import KafkaMessageLog
from apps.messagelog.kafka import consumer as kafka_consumer
from apps.messagelog.kafka import dead_letters as kafka_dead_letters
from apps.messagelog.kafka.trimmer import Trimmer
from apps.observability.metrics import LOG_GAPS
from apps.protocol.records import BrokenRecord, decode_record
from tests.contracts.log_calls import ON_KAFKA, PATIENCE_SECONDS, Readers, append, opened_readers, payloads, poll_some
from tests.servers.kafka import KafkaCluster, running_kafka

pytestmark = [*ON_KAFKA]

AT = partition_of("same", 12)
NEW = KnownLog(generation=0, identity="")


@pytest.fixture
def log(kafka_log: KafkaMessageLog) -> KafkaMessageLog:
    kafka_log.set_up(NEW)
    return kafka_log


@pytest.fixture
def topic(kafka_settings: dict[str, Any]) -> str:
    return f"{kafka_settings['EVENT_LOG_URL'].rpartition('/')[2]}.log.1"


@pytest.fixture
def own_broker() -> Iterator[KafkaCluster]:
    """Give a broker that may be paused and killed."""
    with running_kafka() as cluster:
        yield cluster


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Relaying(threading.Thread):
    """A relay as far as the log sees it: polls, lets records take effect, and confirms them from another thread."""

    def __init__(self, reader: LogReader, effects: list[LogRecord], lock: threading.Lock) -> None:
        super().__init__()
        self.reader = reader
        self._effects = effects
        self._lock = lock
        self._leaving = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._leaving.is_set():
            try:
                records = self.reader.poll(100, 200)
            except LogUnavailable:  # a cluster too busy to answer in time
                continue
            with self._lock:
                self._effects += records
            threading.Timer(0.02, self.reader.commit, [records]).start()
        self.reader.close()

    def leave(self) -> None:
        """Stop and give the partitions back."""
        self._leaving.set()
        self.join()


def _shares(log: KafkaMessageLog) -> list[int]:
    try:
        return sorted(len(partitions) for partitions in log.status().readers.get("relay", {}).values())
    except LogUnavailable:  # its two seconds are short on a busy machine
        return []


def test_readers_share_the_partitions_and_take_over_those_of_one_that_leaves(
    log: KafkaMessageLog, readers: Readers
) -> None:
    effects: list[LogRecord] = []
    lock = threading.Lock()
    first, second = (Relaying(readers(reader_id=name), effects, lock) for name in ("r1", "r2"))
    wait_for(lambda: _shares(log) == [6, 6])
    append(log, *[(f"key-{number}", str(number)) for number in range(100)])
    wait_for(lambda: len(effects) >= 100)
    first.leave()
    wait_for(lambda: _shares(log) == [12])
    append(log, *[(f"key-{number}", str(number)) for number in range(100, 200)])
    wait_for(lambda: len(effects) >= 200)
    second.leave()
    assert {int(record.payload) for record in effects} == set(range(200))


def test_partitions_move_under_load_and_nothing_is_lost_or_out_of_order(log: KafkaMessageLog, readers: Readers) -> None:
    effects: list[LogRecord] = []
    lock, ending = threading.Lock(), threading.Event()
    written = 0

    async def load() -> None:
        nonlocal written
        appender = log.appender()
        while not ending.is_set():
            await appender.append(
                [Entry(key=f"key-{one % 40}", payload=b"%d" % one) for one in range(written, written + 20)]
            )
            written += 20
            await asyncio.sleep(0.01)
        appender.close()

    loading = threading.Thread(target=asyncio.run, args=[load()])
    loading.start()
    relays = []
    for number in range(4):
        relays.append(Relaying(readers(reader_id=f"r{number}"), effects, lock))
        wait_for(lambda: len(log.status().readers.get("relay", {})) == len(relays))
        time.sleep(0.5)
    relays.pop(0).leave()
    time.sleep(1.0)
    ending.set()
    loading.join()
    wait_for(lambda: len({record.payload for record in effects}) == written)
    for relay in relays:
        relay.leave()
    first_arrivals = dict.fromkeys(int(record.payload) for record in effects)
    by_key: dict[int, list[int]] = defaultdict(list)
    for number in first_arrivals:
        by_key[number % 40].append(number)
    assert all(arrived == sorted(arrived) for arrived in by_key.values())
    assert sum(partition.last for partition in log.status().partitions) == written


def test_many_readers_that_start_one_after_another_each_get_their_partitions(
    log: KafkaMessageLog, readers: Readers
) -> None:
    effects: list[LogRecord] = []
    lock = threading.Lock()
    append(log, *[(f"key-{number}", str(number)) for number in range(100)])
    relays = []
    for number in range(16):
        relays.append(Relaying(readers(reader_id=f"r{number:02}"), effects, lock))
        time.sleep(0.2)
    wait_for(lambda: _shares(log) == [0] * 4 + [1] * 12)
    append(log, *[(f"key-{number}", str(number)) for number in range(100, 200)])
    wait_for(lambda: len({record.payload for record in effects}) == 200)
    for relay in relays:
        relay.leave()
    wait_for(lambda: _shares(log) == [])


def test_a_reader_that_stopped_polling_loses_its_partitions_and_writes_nothing_over_its_successors(
    log: KafkaMessageLog, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, *[("same", str(number)) for number in range(1, 11)])
    monkeypatch.setattr(kafka_consumer, "MAX_POLL_INTERVAL_MS", 1_000)
    zombie = readers(reader_id="zombie")
    stale = poll_some(zombie, 10)
    monkeypatch.undo()
    successor = readers(reader_id="successor")
    records = poll_some(successor, 10)
    assert payloads(records) == [str(number) for number in range(1, 11)], "nothing of it was committed"
    successor.commit(records[:4])
    wait_for(lambda: successor.poll(100, 50) == [] and log.status().partitions[AT].committed["relay"] == 4)
    zombie.commit(stale)
    for _ in range(5):
        for reader in (zombie, successor):
            with suppress(LogUnavailable):  # as a relay does: a consumer that was thrown out may have to be replaced
                reader.poll(100, 50)
    assert log.status().partitions[AT].committed["relay"] == 4


def test_a_reader_that_rests_for_longer_than_a_poll_may_take_keeps_its_partitions(
    log: KafkaMessageLog, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, ("same", "1"))
    monkeypatch.setattr(kafka_consumer, "MAX_POLL_INTERVAL_MS", 1_500)
    reader = readers()
    reader.commit(poll_some(reader, 1))
    append(log, ("same", "2"))
    reader.rest(4.0)
    assert log.status().readers == {"relay": {"r1": tuple(range(12))}}
    assert payloads(poll_some(reader, 1)) == ["2"]


def test_partitions_go_to_another_reader_while_this_one_rests(log: KafkaMessageLog, readers: Readers) -> None:
    append(log, *[(f"key-{number}", str(number)) for number in range(50)])
    resting, other = readers(reader_id="r1"), readers(reader_id="r2")
    poll_some(resting, 50)
    joining = threading.Thread(target=poll_some, args=[other, 1])
    joining.start()
    while joining.is_alive():
        resting.rest(0.1)
    assert {len(partitions) for partitions in log.status().readers["relay"].values()} == {6}


@pytest.mark.parametrize("value", [b'["m","\xff"]', b"", None])
def test_a_value_that_is_no_text_is_a_broken_record_and_keeps_its_bytes(
    log: KafkaMessageLog, readers: Readers, kafka: KafkaCluster, topic: str, value: bytes | None
) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    producer.send(topic, value, key=b"k", partition=AT).get(10)
    producer.close()
    append(log, ("same", "after"))
    broken, after = poll_some(readers(), 2)
    with pytest.raises(BrokenRecord):
        decode_record(broken.payload)
    log.bury(broken, "not a record")
    (letter,) = log.list_dead_letters(1)
    assert (letter.payload, after.payload) == (broken.payload, "after")
    assert letter.payload.encode(errors="surrogateescape") == (value or b"")


def test_records_that_were_deleted_unread_are_reported_and_reading_goes_on(
    log: KafkaMessageLog, readers: Readers, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    gaps_before = LOG_GAPS._value.get()
    append(log, *[("same", str(number)) for number in range(1, 11)])
    first = readers()
    first.commit(poll_some(first, 10)[:2])
    first.close()
    log._admin.ask(lambda client: client.delete_records({TopicPartition(topic, AT): 7}))
    with caplog.at_level(logging.ERROR):
        assert payloads(poll_some(readers(reader_id="r2"), 3)) == ["8", "9", "10"]
    assert LOG_GAPS._value.get() == gaps_before + 1
    assert f"partition {AT} goes on at position 8 in place of 3" in caplog.text


def test_trimming_stays_behind_the_relay_and_within_the_retention(log: KafkaMessageLog, topic: str) -> None:
    append(log, *[("same", str(number)) for number in range(10)])
    written_at = time.time()
    partition = TopicPartition(topic, AT)
    young = Trimmer(log._admin, 3_600_000, lambda: {partition: 6})
    young.trim()
    assert log.status().partitions[AT].first == 1, "kept for the retention"
    wait_for(lambda: time.time() > written_at + 1)
    old = Trimmer(log._admin, 500, lambda: {partition: 6})
    old.trim()
    old.trim()
    status = log.status().partitions[AT]
    assert (status.first, status.last) == (7, 10), "nothing that the relay has not committed is cut"
    append(log, ("same", "new"))
    Trimmer(log._admin, 60_000, lambda: {partition: 11}).trim()
    assert log.status().partitions[AT].first == 7, "nothing is cut before its time"


def test_what_was_written_since_a_time_is_found(log: KafkaMessageLog) -> None:
    append(log, ("same", "1"), ("same", "2"))
    time.sleep(0.05)
    between_ms = int(time.time() * 1000)
    time.sleep(0.05)
    append(log, ("same", "3"))
    assert [log.find_positions(at_ms)[AT] for at_ms in (1, between_ms, between_ms + 3_600_000)] == [1, 3, 4]


def test_a_topic_made_anew_is_another_log_and_both_sides_go_on_in_it(
    log: KafkaMessageLog, readers: Readers, topic: str
) -> None:
    known = log.set_up(NEW)
    append(log, ("same", "old"))
    reader = readers()
    reader.commit(poll_some(reader, 1))
    log._admin.ask(lambda client: client.delete_topics([topic]))
    wait_for(lambda: _is_missed_by(reader))
    found = log.set_up(known)
    assert found.generation == 2
    assert append(log, ("same", "new")) == [sequence_of(2, 1)]
    assert payloads(poll_some(reader, 1)) == ["new"]


def _is_missed_by(reader: LogReader) -> bool:
    try:
        reader.poll(10, 500)
    except LogNotSetUp:
        return True
    except LogUnavailable:
        return False
    return False


def test_an_append_that_gets_no_answer_blocks_nobody_and_can_be_settled(own_broker: KafkaCluster) -> None:
    with override_settings(EVENT_LOG_URL=f"{own_broker.url}/own", LOG_PARTITIONS=12, LOG_REPLICATION_FACTOR=1):
        log = KafkaMessageLog()
    log.set_up(NEW)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.05)
            turns += 1

    async def run() -> None:
        appender = log.appender()
        await appender.append([Entry(key="same", payload=b"1")])
        own_broker.pause(0)
        counting = asyncio.create_task(count_turns())
        with pytest.raises(LogUnavailable):
            await appender.append([Entry(key="same", payload=b"2"), Entry(key="same", payload=b"3")])
        own_broker.resume(0)
        await appender.wait_until_available()
        await appender.append([Entry(key="same", payload=b"2"), Entry(key="same", payload=b"3")])
        await appender.append([Entry(key="same", payload=b"4")])
        appender.close()
        counting.cancel()

    asyncio.run(run())
    assert turns > 20, "the event loop went on while the broker was silent"
    for readers in opened_readers(log):
        found = payloads(poll_some(readers(), 4))
        while found[-1] != "4":
            found += payloads(poll_some(readers(reader_id="r2"), 1))
    assert list(dict.fromkeys(found)) == ["1", "2", "3", "4"]
    log.close()


def test_a_dead_letter_that_could_not_be_written_leaves_no_thread_that_goes_on_trying(
    own_broker: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with override_settings(EVENT_LOG_URL=f"{own_broker.url}/own", LOG_PARTITIONS=12, LOG_REPLICATION_FACTOR=1):
        log = KafkaMessageLog()
    log.set_up(NEW)
    broken = LogRecord(partition=0, sequence=1, payload="broken", position=1)
    log.bury(broken, "works")
    log.list_dead_letters(1)
    before = {thread.name for thread in threading.enumerate()}
    own_broker.pause(0)
    monkeypatch.setattr(kafka_dead_letters, "TIMEOUT_MS", 500)  # gives up before its client does
    with pytest.raises(LogUnavailable):
        log.bury(broken, "silent")
    monkeypatch.undo()
    wait_for(lambda: {thread.name for thread in threading.enumerate()} < before)
    gc.collect()  # the client's destructor would wait for the broker, and pytest report what it raises
    own_broker.resume(0)
    log.bury(broken, "works again")
    assert "works again" in {letter.reason for letter in log.list_dead_letters(10)}
    log.close()


def test_a_log_that_was_made_otherwise_is_refused(log: KafkaMessageLog) -> None:
    known = log.set_up(NEW)
    for wrong, expected in (
        ({"LOG_REPLICATION_FACTOR": 3}, r"kept on 1 brokers and LOG_REPLICATION_FACTOR says 3"),
        ({"LOG_MIN_INSYNC_REPLICAS": 2}, r"min.insync.replicas=1 and it takes 2"),
    ):
        with override_settings(**wrong):
            other = KafkaMessageLog()
        with pytest.raises(ValueError, match=expected):
            other.set_up(known)
        other.close()


def test_fewer_brokers_than_copies_are_refused_unless_that_is_asked_for(kafka: KafkaCluster) -> None:
    with override_settings(EVENT_LOG_URL=f"{kafka.url}/few-{uuid4().hex}", LOG_REPLICATION_FACTOR=None):
        log = KafkaMessageLog()
    with pytest.raises(
        ValueError, match=r"Kafka has 1 broker and .* on 3: start more, or set LOG_REPLICATION_FACTOR=1"
    ):
        log.set_up(NEW)
    log.close()


def test_records_of_which_the_site_knows_nothing_are_not_taken_for_its_own(log: KafkaMessageLog) -> None:
    log.set_up(NEW)
    append(log, ("same", "1"))
    with pytest.raises(ValueError, match="a prefix of its own"):
        log.set_up(NEW)
