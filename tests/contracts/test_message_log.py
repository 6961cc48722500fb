"""What every log must do. Each adapter runs the whole suite on a real server."""

import asyncio
import time

import pytest
from django.test import override_settings

from apps.messagelog import valkey_reader
from apps.messagelog.base import (
    Entry,
    LeaseLost,
    LogReader,
    LogRecord,
    LogUnavailable,
    MessageLog,
    partition_of,
    sequence_of,
)
from apps.messagelog.valkey_streams import ValkeyStreamsMessageLog
from apps.valkey.pools import server_url, sync_client


@pytest.fixture(params=["valkey_streams"])
def log(request: pytest.FixtureRequest, log_valkey: str) -> MessageLog:
    made = ValkeyStreamsMessageLog()
    made.set_up(0)
    return made


def append(log: MessageLog, *entries: tuple[str, str]) -> list[int]:
    async def run() -> list[int]:
        appender = log.appender()
        return await appender.append([Entry(key=key, payload=payload.encode()) for key, payload in entries])

    return asyncio.run(run())


def poll_all(reader: LogReader) -> list[LogRecord]:
    found: list[LogRecord] = []
    while records := reader.poll(1_000, 50):
        found += records
        reader.commit(records)
    return found


def test_records_are_read_as_they_were_appended_in_order_within_a_key(log: MessageLog) -> None:
    written = [(f"key-{number % 7}", f"[{number}]") for number in range(200)]
    sequences = append(log, *written)
    records = poll_all(log.reader("relay", "r1"))
    assert sorted(record.payload for record in records) == sorted(payload for _, payload in written)
    for key in {key for key, _ in written}:
        own = {payload for written_key, payload in written if written_key == key}
        assert [record.payload for record in records if record.payload in own] == [
            payload for written_key, payload in written if written_key == key
        ]
    by_payload = {record.payload: record.sequence for record in records}
    assert [by_payload[payload] for _, payload in written] == sequences


def test_positions_are_dense_and_begin_with_one(log: MessageLog) -> None:
    append(log, *[("same", str(number)) for number in range(50)])
    records = poll_all(log.reader("relay", "r1"))
    assert [record.position for record in records] == list(range(1, 51))
    assert records[0].sequence == sequence_of(1, 1)


def test_a_key_always_has_the_same_partition() -> None:
    assert {partition_of("cnv-1", 12) for _ in range(3)} == {partition_of("cnv-1", 12)}
    assert {partition_of(f"cnv-{number}", 12) for number in range(500)} == set(range(12))


def test_a_new_reader_goes_on_where_the_group_committed(log: MessageLog) -> None:
    append(log, ("a", "1"), ("a", "2"))
    first = log.reader("relay", "r1")
    records = first.poll(1_000, 50)
    first.commit(records[:1])
    first.close()
    assert [record.payload for record in log.reader("relay", "r2").poll(1_000, 50)] == ["2"]


def test_what_was_polled_but_not_committed_is_read_again(log: MessageLog) -> None:
    append(log, ("a", "1"))
    first = log.reader("relay", "r1")
    assert len(first.poll(1_000, 50)) == 1
    first.close()
    assert len(log.reader("relay", "r2").poll(1_000, 50)) == 1


def test_groups_do_not_disturb_each_other(log: MessageLog) -> None:
    append(log, ("a", "1"))
    assert len(poll_all(log.reader("relay", "r1"))) == 1
    assert len(poll_all(log.reader("spam", "s1"))) == 1


def test_only_one_reader_of_a_group_is_active(log: MessageLog) -> None:
    append(log, ("a", "1"))
    first, second = log.reader("relay", "r1"), log.reader("relay", "r2")
    assert len(first.poll(1_000, 50)) == 1
    assert second.poll(1_000, 50) == []
    assert log.status().readers == {"relay": "r1"}


def test_a_reader_whose_lease_was_taken_over_is_told_and_commits_nothing(log: MessageLog) -> None:
    append(log, ("a", "1"))
    zombie, successor = log.reader("relay", "r1"), log.reader("relay", "r2")
    records = zombie.poll(1_000, 50)
    sync_client(server_url(_url())).delete("log:lease:relay")
    assert len(successor.poll(1_000, 50)) == 1
    zombie.commit(records)
    with pytest.raises(LeaseLost):
        zombie._renew_if_due(0)  # type: ignore[attr-defined]
    assert all(not partition.committed.get("relay") for partition in log.status().partitions)


def test_a_dead_letter_is_kept_with_its_reason(log: MessageLog) -> None:
    append(log, ("a", "broken"))
    (record,) = poll_all(log.reader("relay", "r1"))
    log.bury(record, "no JSON")
    assert log.status().dead_letters == 1


def test_the_generation_rises_when_the_log_was_made_anew(log: MessageLog) -> None:
    assert log.set_up(1) == 1
    sync_client(server_url(_url())).flushall()
    assert log.set_up(1) == 2
    (sequence,) = append(log, ("a", "1"))
    assert sequence == sequence_of(2, 1)


def test_an_older_copy_of_the_log_gets_a_new_generation(log: MessageLog) -> None:
    assert log.set_up(7) == 8


def test_the_number_of_partitions_cannot_change(log: MessageLog) -> None:
    with override_settings(LOG_PARTITIONS=13), pytest.raises(ValueError, match="12 partitions"):
        ValkeyStreamsMessageLog().set_up(1)


def test_a_server_that_would_lose_what_it_acknowledged_is_refused(log: MessageLog) -> None:
    client = sync_client(server_url(_url()))
    client.config_set("appendfsync", "everysec")
    try:
        with pytest.raises(ValueError, match="appendfsync always"):
            log.set_up(1)
    finally:
        client.config_set("appendfsync", "always")


def test_appending_before_set_up_or_to_a_server_that_is_away_is_unavailable(log: MessageLog) -> None:
    sync_client(server_url(_url())).flushall()
    with pytest.raises(LogUnavailable):
        append(log, ("a", "1"))
    with override_settings(EVENT_LOG_URL="valkey://127.0.0.1:1"), pytest.raises(LogUnavailable):
        append(ValkeyStreamsMessageLog(), ("a", "1"))


def test_trimming_stays_behind_the_relay_and_within_the_retention(
    log: MessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, *[("same", str(number)) for number in range(10)])
    monkeypatch.setattr(valkey_reader, "MARK_MS", 0)
    reader = log.reader("relay", "r1")
    records = reader.poll(1_000, 50)
    reader.commit(records[:6])
    reader.close()
    at = partition_of("same", 12)
    assert log.status().partitions[at].first == 1, "kept for the retention"
    trim = sync_client(server_url(_url()))
    marks = trim.zrange(f"log:marks:{at}", 0, -1, withscores=True)
    trim.zadd(f"log:marks:{at}", {member: 1.0 for member, _ in marks})
    append(log, ("same", "10"))
    late = log.reader("relay", "r2")
    late.commit(late.poll(1_000, 50)[:1])
    late.close()
    status = log.status().partitions[at]
    assert (status.first, status.last) == (7, 11), "nothing that the relay has not committed is cut"


def test_positions_of_a_log_that_was_replaced_are_never_written_into_the_new_one(log: MessageLog) -> None:
    append(log, *[("same", str(number)) for number in range(50)])
    reader = log.reader("relay", "r1")
    records = reader.poll(1_000, 50)
    sync_client(server_url(_url())).flushall()
    log.set_up(1)
    reader.commit(records)
    with pytest.raises(LogUnavailable):
        reader._renew_if_due(0)  # type: ignore[attr-defined]
    append(log, *[("same", f"new {number}") for number in range(30)])
    late = log.reader("relay", "r1")
    late.poll(0, 50)
    late.commit(records)
    assert len(poll_all(log.reader("relay", "r1"))) == 30


def test_a_committed_position_never_falls(log: MessageLog) -> None:
    append(log, *[("same", str(number)) for number in range(10)])
    reader = log.reader("relay", "r1")
    records = reader.poll(1_000, 50)
    reader.commit(records)
    reader.poll(1_000, 10)
    reader.commit(records[:3])
    reader.close()
    assert log.reader("relay", "r2").poll(1_000, 50) == []


def test_old_records_are_trimmed_though_nothing_new_comes(log: MessageLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_reader, "MARK_MS", 0)
    append(log, ("same", "content"))
    with override_settings(LOG_RETENTION_HOURS=0):
        reader = ValkeyStreamsMessageLog().reader("relay", "r1")
        poll_all(reader)
        for _ in range(3):
            time.sleep(0.002)
            reader._renew_if_due(0)  # type: ignore[attr-defined]
    assert sync_client(server_url(_url())).xlen(f"log:{partition_of('same', 12)}") == 0


def test_another_group_that_is_ahead_trims_nothing(log: MessageLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_reader, "MARK_MS", 0)
    append(log, ("same", "content"))
    with override_settings(LOG_RETENTION_HOURS=0):
        poll_all(ValkeyStreamsMessageLog().reader("spam", "s1"))
    assert len(poll_all(log.reader("relay", "r1"))) == 1


def _url() -> str:
    from django.conf import settings

    return str(settings.EVENT_LOG_URL)
