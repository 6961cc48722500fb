"""What a batch of the log brings about, and that bringing it about twice changes nothing."""

from dataclasses import replace
from typing import Any

import pytest

from apps.protocol.records import ConversationRead, MessageRetried

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)
MESSAGE = f"msg-{1:016x}"


def test_a_message_goes_to_all_devices_of_the_receiver_and_the_other_ones_of_the_sender(world: Any) -> None:
    world.relay(world.message())
    for device_id in (world.bob1, world.bob2):
        (frame,) = world.bus.frames(device_id)
        assert (frame["action"], frame["content"], frame["sender_id"]) == ("incoming_message", "hello 1", world.ada)
        assert "receiver_id" not in frame
    (copy,) = world.bus.frames(world.ada2)
    assert copy["receiver_id"] == world.bob
    assert world.bus.frames(world.ada1) == []


def test_the_first_confirmation_of_the_receiver_makes_two_ticks_on_all_devices_of_the_sender(world: Any) -> None:
    world.relay(world.message())
    world.bus.pushes.clear()
    world.confirm(world.bob, world.bob1, 1)
    (own,), (other,) = world.bus.frames(world.ada1), world.bus.frames(world.ada2)
    assert (own["action"], own["message_id"], own["message_id_by_client"]) == ("message_delivered", MESSAGE, 1)
    assert "message_id_by_client" not in other
    assert world.waiting(world.bob, world.bob1)[0] == 0
    assert world.waiting(world.bob, world.bob2)[0] == 1
    world.confirm(world.bob, world.bob2, 1)
    assert world.bus.frames(world.ada1) == [], "only the first one counts"


def test_the_senders_own_device_confirms_its_copy_without_two_ticks(world: Any) -> None:
    world.relay(world.message())
    world.bus.pushes.clear()
    world.confirm(world.ada, world.ada2, 1)
    assert world.bus.pushes == []
    assert world.waiting(world.ada, world.ada2)[0] == 0


def test_a_batch_processed_twice_changes_nothing(world: Any) -> None:
    world.relay(world.message(1), world.message(2))
    world.confirm(world.bob, world.bob1, 1)
    world.bus.pushes.clear()
    world.relay(world.message(1), world.message(2))
    world.confirm(world.bob, world.bob1, 1)
    assert [frame["content"] for frame in world.bus.frames(world.bob1)] == ["hello 2"]
    assert world.waiting(world.bob, world.bob1)[0] == 1
    (again,) = world.bus.frames(world.ada1)
    assert again["action"] == "message_delivered", "the first time may have been lost"


def test_messages_and_confirmations_of_one_replayed_batch_go_together(world: Any) -> None:
    from apps.protocol.records import DeliveryConfirmed

    confirmed = DeliveryConfirmed(user_id=world.bob, device_id=world.bob1, message_ids=(MESSAGE,), timestamp_ms=9)
    world.relay(confirmed, world.message())
    assert world.store.list_standings([MESSAGE])[MESSAGE].delivered


def test_a_second_position_of_an_id_is_dropped_and_the_sender_told_what_stands(world: Any) -> None:
    world.relay(world.message())
    first = world.store.list_standings([MESSAGE])[MESSAGE].sequence
    world.bus.pushes.clear()
    world.relay(world.message(), first_position=9)
    (frame,) = world.bus.frames(world.ada1)
    assert (frame["action"], frame["message_id"], frame["sequence"]) == ("message_received", MESSAGE, first)
    assert world.bus.frames(world.bob1) == []


def test_another_id_for_the_same_client_id_is_dropped_too_and_its_two_ticks_say_what_stands(world: Any) -> None:
    world.relay(world.message())
    world.relay(world.message(message_id=f"msg-{99:016x}"), first_position=9)
    assert [frame["message_id"] for frame in world.bus.frames(world.ada1)] == [MESSAGE]
    world.confirm(world.bob, world.bob1, 1)
    assert [frame["action"] for frame in world.bus.frames(world.ada1)] == ["message_received", "message_delivered"]
    assert len(world.bus.frames(world.bob1)) == 1


def test_other_content_under_the_same_client_id_is_a_late_conflict(world: Any) -> None:
    world.relay(world.message())
    world.relay(world.message(message_id=f"msg-{99:016x}", digest="other", content="x"), first_position=9)
    (frame,) = world.bus.frames(world.ada1)
    assert (frame["code"], frame["message_id"], frame["message_id_by_client"]) == ("conflict", f"msg-{99:016x}", 1)
    assert len(world.bus.frames(world.bob1)) == 1


def test_a_late_conflict_is_told_again_by_a_replay_and_nothing_else_comes_of_it(world: Any) -> None:
    other = world.message(message_id=f"msg-{99:016x}", digest="other", content="x")
    world.relay(world.message())
    world.relay(other, first_position=9)
    told = world.bus.frames(world.ada1)
    world.bus.pushes.clear()
    world.relay(world.message(), other)
    world.relay(other, first_position=9)
    assert [frame for frame in world.bus.frames(world.ada1) if frame["action"] == "error"] == told * 2
    assert {frame["message_id"] for frame in world.bus.frames(world.bob1)} <= {MESSAGE}
    standing = world.store.list_standings([f"msg-{99:016x}"])[f"msg-{99:016x}"]
    assert (standing.refusal, standing.message_id_by_client, standing.pending_devices) == ("conflict", 1, ())
    assert world.store.list_bodies([f"msg-{99:016x}"]) == {}


@pytest.mark.parametrize("blocker", ["ada", "bob"])
def test_a_block_that_the_gateway_did_not_know_withdraws_the_message(world: Any, blocker: str) -> None:
    from apps.accounts.models import Block

    people = {"ada": world.ada, "bob": world.bob}
    Block.objects.create(owner_id=people[blocker], person_id=people["bob" if blocker == "ada" else "ada"])
    world.relay(world.message())
    assert world.bus.frames(world.bob1) == []
    (frame,) = world.bus.frames(world.ada1)
    assert (frame["action"], frame["code"], frame["message_id"]) == ("error", "forbidden", MESSAGE)
    world.confirm(world.bob, world.bob1, 1)
    assert world.bus.frames(world.ada1) == [], "a withdrawn message is never delivered"


def test_a_block_after_it_was_stored_takes_no_words_out_of_a_message_that_is_read_again(world: Any) -> None:
    from apps.accounts.models import Block

    world.relay(world.message())
    Block.objects.create(owner_id=world.bob, person_id=world.ada)
    world.bus.pushes.clear()
    world.relay(world.message())
    for device_id in (world.bob1, world.bob2, world.ada2):
        (frame,) = world.bus.frames(device_id)
        assert (frame["action"], frame["content"]) == ("incoming_message", "hello 1")
    assert world.bus.frames(world.ada1) == []


def test_a_receiver_that_is_gone_or_suspended_withdraws_the_message(world: Any) -> None:
    from apps.accounts.services import suspend_user

    suspend_user(world.bob)
    world.bus.pushes.clear()
    world.relay(world.message(), world.message(2, receiver_id="usr-000000000000"))
    assert [frame["code"] for frame in world.bus.frames(world.ada1)] == ["unknown_receiver"] * 2


def test_nobody_but_the_receiver_can_confirm_or_read(world: Any) -> None:
    from apps.accounts.services import log_in_device, register_user

    eve = register_user("eve", "correct horse battery")
    device, _ = log_in_device(eve, "phone")
    world.relay(world.message())
    world.bus.pushes.clear()
    world.confirm(eve.pk, device.pk, 1)
    world.relay(
        ConversationRead(user_id=eve.pk, device_id=device.pk, told=world.ada, message_id=MESSAGE, timestamp_ms=5)
    )
    assert world.bus.pushes == []
    assert world.store.list_standings([MESSAGE])[MESSAGE].undelivered


def test_confirmations_of_unknown_ids_are_ignored(world: Any) -> None:
    world.confirm(world.bob, world.bob1, 77)
    assert world.bus.pushes == []


def test_reading_tells_the_sender_and_the_readers_other_device(world: Any) -> None:
    world.relay(world.message(1), world.message(2))
    world.bus.pushes.clear()
    for number in (2, 1):
        read = ConversationRead(
            user_id=world.bob, device_id=world.bob1, told=world.ada, message_id=f"msg-{number:016x}", timestamp_ms=5
        )
        world.relay(read, first_position=50)
    frames = world.bus.frames(world.ada1)
    assert [frame["message_id"] for frame in frames] == [f"msg-{2:016x}"], "a pointer never falls"
    assert frames[0]["reader_id"] == world.bob
    assert world.bus.frames(world.bob2)
    assert world.bus.frames(world.bob1) == []


def test_only_the_sender_of_the_message_can_be_told_that_it_was_read(world: Any) -> None:
    world.relay(world.message())
    world.bus.pushes.clear()
    for told in (world.bob, "usr-000000000000", "grp-000000000000"):
        world.relay(
            ConversationRead(user_id=world.bob, device_id=world.bob1, told=told, message_id=MESSAGE, timestamp_ms=5)
        )
    assert world.bus.pushes == []


def test_what_was_read_in_private_is_not_told_by_a_later_mark_below_it(world: Any) -> None:
    from apps.accounts.services import update_settings

    world.relay(world.message(1), world.message(2))
    world.bus.pushes.clear()
    for shows, number in ((False, 2), (True, 1)):
        update_settings(world.bob, device_id=world.bob1, read_receipts=shows)
        read = ConversationRead(
            user_id=world.bob,
            device_id=world.bob1,
            told=world.ada,
            message_id=f"msg-{number:016x}",
            timestamp_ms=5,
        )
        world.relay(read, first_position=50 + number)
    assert world.bus.frames(world.ada1) == []


@pytest.mark.parametrize("blocker", ["ada", "bob"])
def test_reading_is_not_told_through_a_block(world: Any, blocker: str) -> None:
    from apps.accounts.models import Block

    world.relay(world.message())
    world.bus.pushes.clear()
    people = {"ada": world.ada, "bob": world.bob}
    Block.objects.create(owner_id=people[blocker], person_id=people["bob" if blocker == "ada" else "ada"])
    read = ConversationRead(user_id=world.bob, device_id=world.bob1, told=world.ada, message_id=MESSAGE, timestamp_ms=5)
    world.relay(read)
    assert world.bus.frames(world.ada1) == []


def test_messages_of_a_batch_are_delivered_by_their_time_and_within_a_partition_in_its_order() -> None:
    from apps.messagelog.base import LogRecord
    from apps.protocol.records import MessageSubmitted, encode_record
    from apps.relay.pipeline import decode_batch

    def record(partition: int, position: int, timestamp_ms: int) -> LogRecord:
        message = MessageSubmitted(
            message_id=f"msg-{timestamp_ms:016x}",
            sender_id="usr-aaaaaaaaaaaa",
            sender_device="dev-aaaaaaaaaaaa",
            client_id=f"i{timestamp_ms}",
            digest="d",
            receiver_id="usr-bbbbbbbbbbbb",
            group_id=None,
            content="x",
            envelope=None,
            media=None,
            reply_to=None,
            timestamp_ms=timestamp_ms,
            sent_at_ms=1,
        )
        payload = encode_record(message).decode()
        return LogRecord(partition=partition, position=position, sequence=position, payload=payload)

    batch = decode_batch([record(0, 1, 10), record(0, 2, 30), record(0, 3, 25), record(1, 1, 20), record(1, 2, 40)])
    assert [message.timestamp_ms for _, message in batch.messages] == [10, 20, 30, 25, 40]


def test_who_hides_read_receipts_tells_only_their_own_devices(world: Any) -> None:
    from apps.accounts.services import update_settings

    update_settings(world.bob, device_id=world.bob1, read_receipts=False)
    world.relay(world.message())
    world.bus.pushes.clear()
    world.relay(
        ConversationRead(user_id=world.bob, device_id=world.bob1, told=world.ada, message_id=MESSAGE, timestamp_ms=5)
    )
    assert world.bus.frames(world.ada1) == []
    assert world.bus.frames(world.bob2)


def test_a_question_is_answered_with_two_ticks_if_there_are_any(world: Any) -> None:
    question = MessageRetried(message_id=MESSAGE, sender_id=world.ada, sender_device=world.ada1)
    world.relay(world.message(), question)
    assert world.bus.frames(world.ada1) == []
    world.confirm(world.bob, world.bob1, 1)
    world.bus.pushes.clear()
    world.relay(question, first_position=200)
    assert [frame["action"] for frame in world.bus.frames(world.ada1)] == ["message_delivered"]


def test_a_question_by_the_id_of_a_repeat_is_answered_with_what_stands(world: Any) -> None:
    world.relay(world.message())
    repeat = f"msg-{99:016x}"
    world.relay(world.message(message_id=repeat), first_position=9)
    world.confirm(world.bob, world.bob1, 1)
    world.bus.pushes.clear()
    question = MessageRetried(
        message_id=repeat, sender_id=world.ada, sender_device=world.ada1, client_id="i1", receiver_id=world.bob
    )
    world.relay(question, first_position=200)
    told = [(frame["action"], frame["message_id"]) for frame in world.bus.frames(world.ada1)]
    assert ("message_received", MESSAGE) in told
    assert ("message_delivered", MESSAGE) in told
    world.bus.pushes.clear()
    world.relay(replace(question, sender_id=world.bob), first_position=201)
    assert world.bus.frames(world.ada1) == [], "another's question about it"


def test_an_inbox_that_was_lost_takes_no_put_but_its_connection_is_told_to_drain(world: Any) -> None:
    from django.conf import settings

    from apps.valkey.pools import sync_client

    sync_client(settings.INBOX_REDIS_URL).hdel(f"inboxmeta:{{{world.bob}}}:{world.bob1}", "epoch")
    world.relay(world.message())
    pushes = [push for push in world.bus.pushes if push.device_id == world.bob1]
    assert [(push.epoch, push.counter, push.frame) for push in pushes] == [("", 0, "")]


def test_with_history_the_content_stays_after_delivery_and_without_it_goes_at_once(world: Any) -> None:
    from apps.accounts.services import update_settings

    world.relay(world.message(1))
    update_settings(world.ada, device_id=world.ada1, history_days=90)
    world.relay(world.message(2), first_position=2)
    for user_id, device_id in world.devices()[1:]:
        world.confirm(user_id, device_id, 1, 2)
    assert list(world.store.list_bodies([MESSAGE, f"msg-{2:016x}"])) == [f"msg-{2:016x}"]


def test_what_is_no_record_is_set_apart_and_the_rest_goes_on(world: Any) -> None:
    broken = world.relay("no record", world.message(), '["d",1]')
    assert [record.position for record, _ in broken] == [1, 3]
    assert world.bus.frames(world.bob1)


def test_a_record_that_cannot_be_processed_is_withdrawn_with_a_late_failed(world: Any) -> None:
    from apps.delivery.deliver import deliver_changes
    from apps.messagelog.base import LogRecord
    from apps.protocol.records import encode_record

    payload = encode_record(world.message()).decode()
    record = LogRecord(partition=0, position=1, sequence=1, payload=payload)
    deliver_changes(world.pipeline.withdraw(record).changes, world.bus)
    (frame,) = world.bus.frames(world.ada1)
    assert (frame["code"], frame["message_id"]) == ("failed", MESSAGE)


def test_a_record_that_was_stored_before_it_could_not_be_processed_keeps_its_words(world: Any) -> None:
    from apps.delivery.deliver import deliver_changes
    from apps.messagelog.base import LogRecord, sequence_of
    from apps.protocol.records import encode_record

    world.relay(world.message())
    world.bus.pushes.clear()
    payload = encode_record(world.message()).decode()
    record = LogRecord(partition=0, position=1, sequence=sequence_of(1, 1), payload=payload)
    deliver_changes(world.pipeline.withdraw(record).changes, world.bus)
    assert [frame["content"] for frame in world.bus.frames(world.bob1)] == ["hello 1"]
    assert world.bus.frames(world.ada1) == []
