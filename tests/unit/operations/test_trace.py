"""``trace`` and ``purge_expired``: what they tell, and what they never do."""

import io
import json
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.delivery.rebuild import rebuild_inbox
from apps.messagelog.base import LogRecord, partition_of, sequence_of
from apps.messagelog.generation import set_up_log
from apps.messagelog.log import get_message_log
from apps.messagestore.base import TRACE_KEPT_MS, StoreUnavailable
from apps.operations.tracing import made_at_ms
from apps.protocol.ids import conversation_id
from apps.protocol.records import ConversationRead
from apps.valkey.pools import ValkeyError

pytestmark = [
    pytest.mark.django_db(databases=["default", "messages"], transaction=True),
    pytest.mark.usefixtures("log_valkey"),
]
MESSAGE = f"msg-{1:016x}"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def trace(message_id: str = MESSAGE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("trace", message_id, "--json"))
    return found


def test_a_message_is_followed_from_its_acceptance_to_each_device_that_waits(world: Any) -> None:
    set_up_log()
    world.relay(world.message())
    found = trace()
    assert (found["sender_id"], found["receiver_id"], found["message_id_by_client"]) == (world.ada, world.bob, 1)
    assert found["log"] == {
        "partition": partition_of(conversation_id(world.ada, world.bob), 12),
        "generation": 1,
        "position": 1,
        "kept": False,
    }
    assert {(one["device_id"], one["inbox"], one["connected_to"]) for one in found["devices"]} == {
        (device, "queued", "gw-1") for device in (world.bob1, world.bob2, world.ada2)
    }
    assert found["delivered_at"] is None


def test_confirmations_reading_and_deletion_are_told_with_their_times(world: Any) -> None:
    started = int(time.time() * 1000)
    world.relay(world.message(), world.message(2))
    world.confirm(world.bob, world.bob1, 1)
    assert [one["device_id"] for one in trace()["devices"]] == [world.bob1, world.bob2, world.ada2]
    world.confirm(world.bob, world.bob2, 1)
    world.confirm(world.ada, world.ada2, 1)
    reading = ConversationRead(
        user_id=world.bob, device_id=world.bob1, told=world.ada, message_id=f"msg-{2:016x}", timestamp_ms=started
    )
    world.relay(reading, first_position=300)
    found = trace()
    assert [one["device_id"] for one in found["devices"]] == [world.bob1, world.bob2, world.ada2]
    times = [one["confirmed_at"] for one in found["devices"]]
    assert started <= found["delivered_at"] == times[0] <= times[1] <= times[2] == found["content_deleted_at"]
    assert found["kept_until"] == times[2] + TRACE_KEPT_MS
    [read] = found["read"]
    assert read == {"user_id": world.bob, "up_to": f"msg-{2:016x}", "at": started}


def test_a_device_whose_inbox_lost_the_message_is_seen(world: Any, cache_valkey: str) -> None:
    from apps.valkey.pools import sync_client

    world.relay(world.message())
    sync_client(cache_valkey).flushall()
    rebuild_inbox(world.bob, world.bob1)
    sync_client(cache_valkey).zrem(f"inbox:{{{world.bob}}}:{world.bob1}", MESSAGE)
    states = {one["device_id"]: one["inbox"] for one in trace()["devices"]}
    assert states == {world.bob1: "missing", world.bob2: "not built", world.ada2: "not built"}


def test_the_text_has_every_hop_and_neither_form_has_the_content(world: Any) -> None:
    world.relay(world.message(content="a secret between two"))
    text = run("trace", MESSAGE)
    for word in ("from", "accepted", "log", "stored", "waits", "delivered", "kept until"):
        assert f"\n{word:<13}" in text
    assert "secret" not in text + run("trace", MESSAGE, "--json")


def test_a_dead_letter_is_told_with_its_reason(world: Any) -> None:
    record = LogRecord(
        partition=3,
        position=9,
        sequence=sequence_of(1, 9),
        payload=f'["m","{MESSAGE}","…content…"]',
    )
    get_message_log().bury(record, "it cannot be stored")
    found = trace()
    assert found == {
        "message_id": MESSAGE,
        "dead_letter": {"partition": 3, "sequence": record.sequence, "reason": "it cannot be stored"},
    }
    assert "it cannot be stored" in run("trace", MESSAGE)
    world.relay(world.message())
    assert trace()["dead_letter"]["partition"] == 3


def test_a_cache_and_a_log_that_are_away_leave_the_rest_told(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ValkeyError("down")

    world.relay(world.message())
    for name in ("list_connections", "has_epoch", "get_message_log"):
        monkeypatch.setattr(f"apps.operations.tracing.{name}", fail)
    found = trace()
    assert (found["log"]["kept"], found["devices"][0]["inbox"], found["devices"][0]["connected_to"]) == (None,) * 3
    assert "the cache does not answer" in run("trace", MESSAGE)


def test_an_unknown_message_is_an_error_that_says_what_may_have_become_of_it() -> None:
    set_up_log()
    with pytest.raises(CommandError, match=r"msg-0d2f0e00c0000000, an id of 2031-.* \(the relay has 0 records"):
        run("trace", "msg-0d2f0e00c0000000")


@pytest.mark.parametrize("given", ["hello", "msg-1", "usr-000000000000", "msg-000000000000000G"])
def test_what_is_no_message_id_is_refused(given: str) -> None:
    with pytest.raises(CommandError, match="16 hexadecimal digits"):
        run("trace", given)


def test_an_id_tells_when_it_was_made() -> None:
    assert made_at_ms("msg-0000000000000000") == 1_704_067_200_000
    assert made_at_ms(f"msg-{(5 << 22) | 77:016x}") == 1_704_067_200_005


def test_purging_counts_first_and_deletes_everything_past_its_time(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.relay(*(world.message(number) for number in range(1, 6)))
    for device_id in (world.bob1, world.bob2):
        world.confirm(world.bob, device_id, 1, 2, 3, 4)
    world.confirm(world.ada, world.ada2, 1, 2, 3, 4)
    assert run("purge_expired") == run("purge_expired", "--yes") == "0 messages deleted\n", "nothing to ask about"
    later = time.time() + TRACE_KEPT_MS / 1000 + 1
    monkeypatch.setattr("apps.operations.management.commands.purge_expired.time.time", lambda: later)
    monkeypatch.setattr("apps.operations.management.commands.purge_expired.BATCH", 3)
    assert json.loads(run("purge_expired", "--dry-run", "--json")) == {"expired": 4}
    for answer, expected in (("n\n", "^nothing was deleted$"), ("", "^nothing was deleted: .* give --yes$")):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        with pytest.raises(CommandError, match=expected):
            run("purge_expired")
    with pytest.raises(CommandError, match="--json takes --yes or --dry-run"):
        run("purge_expired", "--json")
    assert json.loads(run("purge_expired", "--dry-run", "--json")) == {"expired": 4}
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run("purge_expired").endswith("4 messages deleted\n")
    assert json.loads(run("purge_expired", "--yes", "--json")) == {"deleted": 0}
    assert trace(f"msg-{5:016x}")["kept_until"] > later * 1000


def test_a_store_that_does_not_answer_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def __getattr__(self, name: str) -> Any:
            raise StoreUnavailable("gone fishing")

    for module in ("apps.operations.tracing", "apps.operations.management.commands.purge_expired"):
        monkeypatch.setattr(f"{module}.get_message_store", Away)
    for command in (["trace", MESSAGE], ["purge_expired"], ["purge_expired", "--dry-run"]):
        with pytest.raises(CommandError, match=r"the Message DB does not answer \(gone fishing\)"):
            run(*command)
