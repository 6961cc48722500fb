"""What only the log on Valkey Streams has: a lease, trimming by marks, and a server that may be configured wrongly."""

import time

import pytest
from django.conf import settings
from django.test import override_settings

from apps.messagelog import valkey_reader
from apps.messagelog.base import KnownLog, LeaseLost, LogUnavailable, partition_of, sequence_of
from apps.messagelog.valkey_reader import ValkeyStreamsReader
from apps.messagelog.valkey_streams import ValkeyStreamsMessageLog
from apps.valkey.pools import SyncValkey, server_url, sync_client
from tests.contracts.log_calls import append, payloads, poll_some

AT = partition_of("same", 12)
MINUTE_MS = 60_000


@pytest.fixture
def log(valkey_streams_log: ValkeyStreamsMessageLog) -> ValkeyStreamsMessageLog:
    valkey_streams_log.set_up(KnownLog(generation=0, identity=""))
    return valkey_streams_log


@pytest.fixture
def server(log_valkey: str) -> SyncValkey:
    return sync_client(server_url(settings.EVENT_LOG_URL))


def reader_of(log: ValkeyStreamsMessageLog, group: str = "relay", reader_id: str = "r1") -> ValkeyStreamsReader:
    return log.reader(group, reader_id)


def test_only_one_reader_of_a_group_is_active(log: ValkeyStreamsMessageLog) -> None:
    append(log, ("a", "1"))
    first, second = reader_of(log), reader_of(log, reader_id="r2")
    assert len(first.poll(1_000, 50)) == 1
    assert second.poll(1_000, 50) == []
    assert log.status().readers == {"relay": {"r1": tuple(range(12))}}


def test_a_reader_that_rests_keeps_its_lease(log: ValkeyStreamsMessageLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_reader, "LEASE_MS", 400)
    monkeypatch.setattr(valkey_reader, "RENEW_MS", 50)
    append(log, ("a", "1"))
    first, second = reader_of(log), reader_of(log, reader_id="r2")
    assert len(first.poll(1_000, 50)) == 1
    first.rest(1.0)
    assert second.poll(1_000, 0) == []


def test_a_reader_whose_lease_was_taken_over_is_told_and_commits_nothing(
    log: ValkeyStreamsMessageLog, server: SyncValkey
) -> None:
    append(log, ("a", "1"))
    zombie, successor = reader_of(log), reader_of(log, reader_id="r2")
    records = zombie.poll(1_000, 50)
    server.delete("log:lease:relay")
    assert len(successor.poll(1_000, 50)) == 1
    zombie.commit(records)
    with pytest.raises(LeaseLost):
        zombie._renew_if_due(0)
    assert all(not partition.committed.get("relay") for partition in log.status().partitions)


def test_a_resting_reader_whose_lease_was_taken_over_is_told(log: ValkeyStreamsMessageLog, server: SyncValkey) -> None:
    append(log, ("a", "1"))
    zombie = reader_of(log)
    assert len(zombie.poll(1_000, 50)) == 1
    server.set("log:lease:relay", "r2")
    with pytest.raises(LeaseLost):
        zombie.rest(5.0)


def test_the_generation_rises_when_the_log_was_made_anew(log: ValkeyStreamsMessageLog, server: SyncValkey) -> None:
    known = log.set_up(KnownLog(generation=0, identity=""))
    server.flushall()
    assert log.set_up(known).generation == 2
    (sequence,) = append(log, ("a", "1"))
    assert sequence == sequence_of(2, 1)


def test_a_log_that_was_set_up_before_identities_were_kept_stays_what_it_is(
    log: ValkeyStreamsMessageLog, server: SyncValkey
) -> None:
    server.delete("log:identity")
    known = log.set_up(KnownLog(generation=1, identity=""))
    assert known.generation == 1
    assert log.set_up(known) == known


def test_a_server_that_would_lose_what_it_acknowledged_is_refused(
    log: ValkeyStreamsMessageLog, server: SyncValkey
) -> None:
    server.config_set("appendfsync", "everysec")
    try:
        with pytest.raises(ValueError, match="appendfsync always"):
            log.set_up(KnownLog(generation=1, identity=""))
    finally:
        server.config_set("appendfsync", "always")


def test_appending_before_set_up_is_unavailable(log: ValkeyStreamsMessageLog, server: SyncValkey) -> None:
    server.flushall()
    with pytest.raises(LogUnavailable):
        append(log, ("a", "1"))


def test_trimming_stays_behind_the_relay_and_within_the_retention(
    log: ValkeyStreamsMessageLog, server: SyncValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, *[("same", str(number)) for number in range(10)])
    monkeypatch.setattr(valkey_reader, "MARK_MS", 0)
    reader = reader_of(log)
    records = reader.poll(1_000, 50)
    reader.commit(records[:6])
    reader.close()
    assert log.status().partitions[AT].first == 1, "kept for the retention"
    marks = server.zrange(f"log:marks:{AT}", 0, -1, withscores=True)
    server.zadd(f"log:marks:{AT}", {member: 1.0 for member, _ in marks})
    append(log, ("same", "10"))
    late = reader_of(log, reader_id="r2")
    late.commit(late.poll(1_000, 50)[:1])
    late.close()
    status = log.status().partitions[AT]
    assert (status.first, status.last) == (7, 11), "nothing that the relay has not committed is cut"


def test_positions_of_a_log_that_was_replaced_are_never_written_into_the_new_one(
    log: ValkeyStreamsMessageLog, server: SyncValkey
) -> None:
    append(log, *[("same", str(number)) for number in range(50)])
    reader = reader_of(log)
    records = reader.poll(1_000, 50)
    server.flushall()
    log.set_up(KnownLog(generation=1, identity=""))
    reader.commit(records)
    with pytest.raises(LogUnavailable):
        reader._renew_if_due(0)
    append(log, *[("same", f"new {number}") for number in range(30)])
    late = reader_of(log)
    late.poll(0, 50)
    late.commit(records)
    late.close()
    assert len(poll_some(reader_of(log), 30)) == 30


def test_old_records_are_trimmed_though_nothing_new_comes(
    log: ValkeyStreamsMessageLog, server: SyncValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_reader, "MARK_MS", 0)
    append(log, ("same", "content"))
    with override_settings(LOG_RETENTION_HOURS=0):
        reader = ValkeyStreamsMessageLog().reader("relay", "r1")
    reader.commit(poll_some(reader, 1))
    for _ in range(3):
        time.sleep(0.002)
        reader._renew_if_due(0)
    assert server.xlen(f"log:{AT}") == 0


def test_another_group_that_is_ahead_trims_nothing(
    log: ValkeyStreamsMessageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_reader, "MARK_MS", 0)
    append(log, ("same", "content"))
    with override_settings(LOG_RETENTION_HOURS=0):
        ahead = ValkeyStreamsMessageLog().reader("spam", "s1")
    ahead.commit(poll_some(ahead, 1))
    ahead.close()
    assert payloads(poll_some(reader_of(log), 1)) == ["content"]


def test_a_time_is_found_by_what_was_committed_before_it(log: ValkeyStreamsMessageLog, server: SyncValkey) -> None:
    append(log, *[("same", str(number)) for number in range(10)])
    server.zadd(f"log:marks:{AT}", {"4": 1 * MINUTE_MS, "8": 2 * MINUTE_MS})
    assert [log.find_positions(at_ms)[AT] for at_ms in (1, MINUTE_MS + 1, 3 * MINUTE_MS)] == [1, 5, 9]
    server.xtrim(f"log:{AT}", minid="0-7", approximate=False)
    assert log.find_positions(1)[AT] == 7, "never before the first record kept"
