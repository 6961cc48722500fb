"""What every log must do. Each adapter runs the whole suite on a real server."""

import time

import pytest
from django.test import override_settings

from apps.messagelog.base import GroupIsRead, KnownLog, LogUnavailable, MessageLog, partition_of, sequence_of
from apps.messagelog.kafka import KafkaMessageLog
from tests.contracts.log_calls import Readers, append, payloads, poll_some, read_and_commit

AT = partition_of("same", 12)


def committed(log: MessageLog, group: str = "relay") -> int:
    return log.status().partitions[AT].committed.get(group, 0)


def test_records_are_read_as_they_were_appended_in_order_within_a_key(log: MessageLog, readers: Readers) -> None:
    written = [(f"key-{number % 7}", f"[{number}]") for number in range(200)]
    sequences = append(log, *written)
    records = poll_some(readers(), 200)
    assert sorted(payloads(records)) == sorted(payload for _, payload in written)
    for key in {key for key, _ in written}:
        own = {payload for written_key, payload in written if written_key == key}
        assert [record.payload for record in records if record.payload in own] == [
            payload for written_key, payload in written if written_key == key
        ]
    by_payload = {record.payload: record.sequence for record in records}
    assert [by_payload[payload] for _, payload in written] == sequences


def test_positions_are_dense_and_begin_with_one(log: MessageLog, readers: Readers) -> None:
    append(log, *[("same", str(number)) for number in range(30)])
    append(log, *[("same", str(number)) for number in range(20)])
    records = poll_some(readers(), 50)
    assert [record.position for record in records] == list(range(1, 51))
    assert records[0].sequence == sequence_of(1, 1)


def test_a_poll_gives_no_more_than_its_limit(log: MessageLog, readers: Readers) -> None:
    append(log, *[(f"key-{number}", str(number)) for number in range(100)])
    reader = readers()
    assert len(poll_some(reader, 1, limit=24)) <= 24


def test_a_key_always_has_the_same_partition() -> None:
    assert {partition_of("cnv-1", 12) for _ in range(3)} == {partition_of("cnv-1", 12)}
    assert {partition_of(f"cnv-{number}", 12) for number in range(500)} == set(range(12))


def test_a_new_reader_goes_on_where_the_group_committed(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "1"), ("same", "2"))
    first = readers()
    first.commit(poll_some(first, 2)[:1])
    first.close()
    assert payloads(poll_some(readers(reader_id="r2"), 1)) == ["2"]


def test_what_was_polled_but_not_committed_is_read_again(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "1"))
    first = readers()
    assert payloads(poll_some(first, 1)) == ["1"]
    first.close()
    assert payloads(poll_some(readers(reader_id="r2"), 1)) == ["1"]


def test_positions_are_written_while_the_reader_goes_on(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "1"))
    reader = readers()
    reader.commit(poll_some(reader, 1))
    deadline = time.monotonic() + 30
    while committed(log) != 1:
        assert time.monotonic() < deadline
        assert reader.poll(10, 50) == []


def test_a_reader_that_rests_takes_no_records_and_loses_none(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "1"))
    reader = readers()
    reader.commit(poll_some(reader, 1))
    append(log, ("same", "2"))
    reader.rest(0.3)
    reader.rest(0)
    assert list(log.status().readers) == ["relay"]
    assert payloads(poll_some(reader, 1)) == ["2"]


def test_groups_do_not_disturb_each_other(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "1"))
    read_and_commit(readers, 1)
    assert payloads(poll_some(readers("spam", "s1"), 1)) == ["1"]
    assert (committed(log), committed(log, "spam")) == (1, 0)


def test_the_status_says_who_reads_what_and_how_far(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "1"), ("same", "2"), ("same", "3"))
    reader = readers()
    reader.commit(poll_some(reader, 3)[:2])
    assert log.status().readers == {"relay": {"r1": tuple(range(12))}}
    reader.close()
    status = log.status()
    assert (status.generation, status.readers, status.dead_letters) == (1, {}, 0)
    assert [partition.partition for partition in status.partitions] == list(range(12))
    assert (status.partitions[AT].first, status.partitions[AT].last, committed(log)) == (1, 3, 2)
    assert {(one.first, one.last) for one in status.partitions if one.partition != AT} == {(0, 0)}


def test_a_committed_position_never_falls(log: MessageLog, readers: Readers) -> None:
    append(log, *[("same", str(number)) for number in range(10)])
    reader = readers()
    records = poll_some(reader, 10)
    reader.commit(records)
    reader.poll(1_000, 10)
    reader.commit(records[:3])
    reader.close()
    append(log, ("same", "end"))
    assert payloads(poll_some(readers(reader_id="r2"), 1)) == ["end"]


def test_a_dead_letter_is_kept_with_its_reason(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "broken"), ("same", "worse"))
    for record in read_and_commit(readers, 2):
        log.bury(record, f"no JSON: {record.position}")
    assert log.status().dead_letters == 2
    (newest,) = log.list_dead_letters(1)
    assert (newest.partition, newest.sequence) == (AT, sequence_of(1, 2))
    assert (newest.reason, newest.payload) == ("no JSON: 2", "worse")
    assert [letter.payload for letter in log.list_dead_letters(10)] == ["worse", "broken"]


def test_setting_up_again_changes_nothing(log: MessageLog, readers: Readers) -> None:
    known = log.set_up(KnownLog(generation=0, identity=""))
    assert log.set_up(known) == known
    append(log, ("same", "1"))
    assert log.set_up(known) == known
    assert payloads(poll_some(readers(), 1)) == ["1"]


def test_an_older_copy_of_the_log_gets_a_new_generation(log: MessageLog) -> None:
    known = log.set_up(KnownLog(generation=0, identity=""))
    assert log.set_up(KnownLog(generation=7, identity=known.identity)).generation == 8


def test_another_log_than_the_one_that_is_known_gets_a_new_generation(log: MessageLog, readers: Readers) -> None:
    found = log.set_up(KnownLog(generation=1, identity="another log"))
    assert found.generation == 2
    assert append(log, ("same", "1"))[0] >= sequence_of(2, 1)
    assert poll_some(readers(), 1)[0].sequence >= sequence_of(2, 1)


def test_the_number_of_partitions_cannot_change(log: MessageLog) -> None:
    known = log.set_up(KnownLog(generation=0, identity=""))
    with override_settings(LOG_PARTITIONS=13):
        other = type(log)()
        with pytest.raises(ValueError, match=r"12 partitions and LOG_PARTITIONS says 13"):
            other.set_up(known)
    if isinstance(other, KafkaMessageLog):
        other.close()


def test_the_group_reads_again_from_where_it_is_told(log: MessageLog, readers: Readers) -> None:
    append(log, *[("same", str(number)) for number in range(1, 6)])
    read_and_commit(readers, 5)
    log.rewind("relay", {AT: 4})
    assert committed(log) == 3
    assert payloads(poll_some(readers(reader_id="r2"), 2)) == ["4", "5"]


def test_a_group_that_is_read_is_not_rewound(log: MessageLog, readers: Readers) -> None:
    append(log, ("same", "1"), ("same", "2"))
    reader = readers()
    reader.commit(poll_some(reader, 2)[:1])
    with pytest.raises(GroupIsRead, match="read by r1"):
        log.rewind("relay", {AT: 1})
    reader.close()
    assert committed(log) == 1


def test_a_log_that_is_not_set_up_or_away_is_unavailable(request: pytest.FixtureRequest, log: MessageLog) -> None:
    kafka = isinstance(log, KafkaMessageLog)
    away = "kafka://127.0.0.1:1" if kafka else "valkey://127.0.0.1:1"
    with override_settings(EVENT_LOG_URL=away):
        other = type(log)()
    for call in (other.status, lambda: append(other, ("same", "1")), lambda: other.find_positions(1)):
        with pytest.raises(LogUnavailable):
            call()
    with pytest.raises(LogUnavailable):
        other.reader("relay", "r1").poll(1, 1)
