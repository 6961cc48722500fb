"""Drains, rebuilds and the sweep on a real store and cache."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from apps.delivery.drain import PAGE_BYTES, DrainRequest, drain
from apps.delivery.rebuild import order_for_inbox

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


def request(world: Any, user_id: str, device_id: str, epoch: str = "", after: int = 0) -> DrainRequest:
    return DrainRequest(
        server_id="gw-1", user_id=user_id, device_id=device_id, connection_id=5, generation=1, epoch=epoch, after=after
    )


def drain_all(world: Any, user_id: str, device_id: str) -> list[dict[str, Any]]:
    """Page after page, as a connection asks for them."""
    frames: list[dict[str, Any]] = []
    epoch, after = "", 0
    while True:
        world.bus.pages.clear()
        drain([request(world, user_id, device_id, epoch, after)], world.bus)
        (page,) = world.bus.pages
        assert page.after == after
        frames += [json.loads(frame) for frame in page.frames]
        epoch, after = page.epoch, page.upto
        if page.last:
            return frames


def flush(world: Any) -> None:
    from django.conf import settings

    from apps.valkey.pools import sync_client

    sync_client(settings.INBOX_REDIS_URL).flushall()


def test_everything_that_waited_is_drained_in_order_page_by_page(world: Any) -> None:
    world.relay(*[world.message(number) for number in range(1, 601)])
    frames = drain_all(world, world.bob, world.bob1)
    assert [frame["content"] for frame in frames] == [f"hello {number}" for number in range(1, 601)]


def test_pages_stay_small_when_messages_are_long(world: Any) -> None:
    world.relay(*[world.message(number, content="x" * 60_000) for number in range(1, 21)])
    drain([request(world, world.bob, world.bob1)], world.bus)
    (page,) = world.bus.pages
    assert sum(map(len, page.frames)) <= PAGE_BYTES
    assert not page.last
    assert len(drain_all(world, world.bob, world.bob1)) == 20


def test_after_a_flush_messages_and_two_ticks_come_back_from_the_store(world: Any) -> None:
    world.relay(*[world.message(number) for number in range(1, 5)])
    world.confirm(world.bob, world.bob1, 1, 2)
    flush(world)
    assert [frame["content"] for frame in drain_all(world, world.bob, world.bob1)] == ["hello 3", "hello 4"]
    own = drain_all(world, world.ada, world.ada1)
    assert [(frame["action"], frame["message_id_by_client"]) for frame in own] == [
        ("message_delivered", 1),
        ("message_delivered", 2),
    ]


def test_a_late_error_and_a_corrected_id_come_back_from_the_store_too(world: Any) -> None:
    world.relay(world.message(1), world.message(2, receiver_id="usr-000000000000"))
    world.relay(world.message(1), first_position=9)
    world.confirm(world.bob, world.bob1, 1)
    flush(world)
    frames = drain_all(world, world.ada, world.ada1)
    assert sorted(frame["action"] for frame in frames) == ["error", "message_delivered", "message_received"]


def test_a_late_conflict_comes_back_from_the_store(world: Any) -> None:
    world.relay(world.message(1))
    world.relay(world.message(1, message_id=f"msg-{2:016x}", digest="other", content="x"), first_position=2)
    flush(world)
    errors = [frame for frame in drain_all(world, world.ada, world.ada1) if frame["action"] == "error"]
    assert [(error["code"], error["message_id"], error["message_id_by_client"]) for error in errors] == [
        ("conflict", f"msg-{2:016x}", 1)
    ]


def test_receipts_that_were_acknowledged_long_ago_are_not_repeated_by_a_rebuild(world: Any) -> None:
    from django.conf import settings

    from apps.inbox.inbox import drop_epoch
    from apps.valkey.pools import sync_client

    world.relay(world.message(1))
    world.confirm(world.bob, world.bob1, 1)
    client = sync_client(settings.INBOX_REDIS_URL)
    client.delete(f"receipts:{{{world.ada}}}:{world.ada1}")
    client.hset(f"inboxmeta:{{{world.ada}}}:{world.ada1}", "acked_ms", 9_999_999_999_999)
    drop_epoch(world.ada, world.ada1)
    assert drain_all(world, world.ada, world.ada1) == []


def test_a_device_that_logs_in_later_gets_what_no_device_has_confirmed(world: Any) -> None:
    from apps.accounts.services import log_in_device

    world.relay(world.message(1), world.message(2))
    world.confirm(world.bob, world.bob1, 1)
    tablet, _ = log_in_device(world.user(world.bob), "tablet")
    assert [frame["content"] for frame in drain_all(world, world.bob, tablet.pk)] == ["hello 2"]


def test_with_no_device_at_all_a_message_waits_for_the_next_login(world: Any) -> None:
    from apps.accounts.models import Device
    from apps.accounts.services import log_in_device

    Device.objects.filter(user_id=world.bob).delete()
    world.relay(world.message(1))
    tablet, _ = log_in_device(world.user(world.bob), "tablet")
    assert [frame["content"] for frame in drain_all(world, world.bob, tablet.pk)] == ["hello 1"]


def test_an_entry_without_a_body_is_removed_by_the_drain_that_meets_it(world: Any) -> None:
    from apps.messagestore.models import Message

    world.relay(world.message(1), world.message(2))
    Message.objects.filter(id=f"msg-{1:016x}").delete()
    assert [frame["content"] for frame in drain_all(world, world.bob, world.bob1)] == ["hello 2"]
    assert world.waiting(world.bob, world.bob1)[0] == 1


def test_one_drain_serves_many_connections(world: Any) -> None:
    world.relay(world.message(1))
    drain([request(world, user_id, device_id) for user_id, device_id in world.devices()], world.bus)
    assert {page.device_id: len(page.frames) for page in world.bus.pages} == {
        world.ada1: 0,
        world.ada2: 1,
        world.bob1: 1,
        world.bob2: 1,
    }


def test_a_rebuilt_inbox_keeps_each_conversations_order_whatever_the_clocks_said() -> None:
    pending = [("m3", "c1", 3, 100), ("m1", "c1", 1, 300), ("m2", "c1", 2, 200), ("x1", "c2", 1, 250)]
    ordered = order_for_inbox(pending)
    assert [one for one in ordered if one.startswith("m")] == ["m1", "m2", "m3"]
    assert ordered.index("x1") == 0


def test_what_the_relay_stores_while_an_inbox_is_rebuilt_is_in_it(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rebuild has read the Message DB, then the relay stores and is refused its put, then the epoch is
    published.
    """
    from apps.messagestore.orm import OrmMessageStore

    world.relay(world.message(1))
    flush(world)
    read = OrmMessageStore.list_pending

    def read_then_relay(store: Any, user_id: str, device_id: str, now_ms: int) -> Any:
        found = read(store, user_id, device_id, now_ms)
        if device_id == world.bob1:
            world.relay(world.message(2), first_position=2)
        return found

    monkeypatch.setattr(OrmMessageStore, "list_pending", read_then_relay)
    assert [frame["content"] for frame in drain_all(world, world.bob, world.bob1)] == ["hello 1", "hello 2"]


def test_two_ticks_that_come_while_an_inbox_is_rebuilt_are_in_it(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.messagestore.orm import OrmMessageStore

    world.relay(world.message(1))
    flush(world)
    read = OrmMessageStore.list_pointers_since

    def read_then_confirm(store: Any, user_id: str, since_ms: int) -> Any:
        found = read(store, user_id, since_ms)
        if user_id == world.ada:
            world.confirm(world.bob, world.bob1, 1)
        return found

    monkeypatch.setattr(OrmMessageStore, "list_pointers_since", read_then_confirm)
    assert [frame["action"] for frame in drain_all(world, world.ada, world.ada1)] == ["message_delivered"]


def test_a_lock_from_before_a_restart_of_the_cache_is_nobodys(world: Any) -> None:
    from django.conf import settings

    from apps.valkey.pools import sync_client

    flush(world)
    sync_client(settings.INBOX_REDIS_URL).set(f"inboxlock:{{{world.bob}}}", "00000000-left-behind", ex=600)
    world.relay(world.message(1))
    assert [frame["content"] for frame in drain_all(world, world.bob, world.bob1)] == ["hello 1"]


def age(world: Any) -> None:
    from apps.messagestore.models import Message

    Message.objects.update(stored_at_ms=0)


def test_the_sweep_puts_back_what_no_inbox_has(world: Any) -> None:
    from django.conf import settings

    from apps.delivery.sweep import sweep_page
    from apps.valkey.pools import sync_client

    world.relay(world.message(1), world.message(2))
    age(world)
    sync_client(settings.INBOX_REDIS_URL).zrem(f"inbox:{{{world.bob}}}:{world.bob1}", f"msg-{1:016x}")
    world.bus.pushes.clear()
    assert sweep_page(world.bus) == 1
    assert [frame["content"] for frame in world.bus.frames(world.bob1)] == ["hello 1"]
    assert sweep_page(world.bus) == 0


def test_the_sweep_puts_back_in_the_order_of_the_conversation(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in that of ids, for gateways' clocks differ; nor what was received and what was sent one after the other."""
    from django.conf import settings

    from apps.delivery import sweep
    from apps.valkey.pools import sync_client

    monkeypatch.setattr(sweep, "PAGE", 2)
    to_ada = {"sender_id": world.bob, "sender_device": world.bob2, "receiver_id": world.ada}
    world.relay(
        world.message(9), world.message(2, **to_ada), world.message(7), world.message(3, **to_ada), world.message(4)
    )
    sequence = ["hello 9", "hello 2", "hello 7", "hello 3", "hello 4"]
    devices = ((world.bob, world.bob1), (world.ada, world.ada2))
    for user_id, device_id in devices:
        sync_client(settings.INBOX_REDIS_URL).delete(f"inbox:{{{user_id}}}:{device_id}")
    world.bus.pushes.clear()
    age(world)
    for _ in sequence:
        sweep.sweep_page(world.bus)
    for user_id, device_id in devices:
        assert [frame["content"] for frame in world.bus.frames(device_id)] == sequence
        assert [frame["content"] for frame in drain_all(world, user_id, device_id)] == sequence


def test_the_sweep_finds_a_device_for_what_none_waits_for(world: Any) -> None:
    from django.conf import settings

    from apps.delivery.sweep import sweep_page
    from apps.messagestore.models import Message
    from apps.valkey.pools import sync_client

    world.relay(world.message(1))
    Message.objects.update(pending_devices="", stored_at_ms=0)
    for device_id in (world.bob1, world.bob2):
        sync_client(settings.INBOX_REDIS_URL).delete(f"inbox:{{{world.bob}}}:{device_id}")
    world.bus.pushes.clear()
    assert sweep_page(world.bus) == 2
    assert world.bus.frames(world.bob1)


def test_the_sweep_stops_waiting_for_devices_that_are_gone_and_keeps_the_last_copy(world: Any) -> None:
    from apps.accounts.models import Device
    from apps.delivery.sweep import sweep_page

    world.relay(world.message(1))
    age(world)
    Device.objects.filter(user_id=world.bob).delete()
    sweep_page(world.bus)
    standing = world.store.list_standings([f"msg-{1:016x}"])[f"msg-{1:016x}"]
    assert standing.undelivered
    assert (standing.pending_devices, standing.own_devices) == ((), (world.ada2,))
    assert world.store.list_bodies([f"msg-{1:016x}"])


def test_a_forgotten_device_has_no_inbox_any_more(world: Any) -> None:
    from apps.delivery.tasks import forget_device

    world.relay(world.message(1))
    forget_device(world.bob, world.bob1)
    assert world.waiting(world.bob, world.bob1) == (0, 0)
    assert world.store.list_standings([f"msg-{1:016x}"])[f"msg-{1:016x}"].pending_devices == (world.bob2,)


def list_keys_of(device_id: str) -> list[str]:
    from django.conf import settings

    from apps.valkey.pools import sync_client

    return sorted(sync_client(settings.INBOX_REDIS_URL).keys(f"*:{device_id}"))


def test_the_sweep_deletes_inboxes_that_came_back_after_their_device(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.accounts.services import revoke_device
    from apps.delivery import sweep
    from apps.delivery.tasks import forget_device

    world.relay(world.message(1))
    before = dump_keys_of(world.bob1)
    revoke_device(world.bob, world.bob1, "logged_out")
    forget_device(world.bob, world.bob1)
    restore_keys(before)  # as a cache does that a crash throws back
    assert world.waiting(world.bob, world.bob1) == (1, 0)
    monkeypatch.setattr(sweep, "KEYS", 2)  # the walk takes many steps
    walk(sweep.sweep_inboxes)
    assert list_keys_of(world.bob1) == []
    assert world.waiting(world.bob, world.bob2) == (1, 0), "a living device keeps its own"
    assert walk(sweep.sweep_inboxes) == 0


def test_the_sweep_deletes_the_inboxes_of_a_deleted_user(world: Any) -> None:
    from apps.accounts.models import User
    from apps.delivery.sweep import sweep_inboxes

    world.relay(world.message(1))
    User.objects.get(pk=world.bob).delete()
    assert walk(sweep_inboxes) == 2
    assert list_keys_of(world.bob1) == list_keys_of(world.bob2) == []


def dump_keys_of(device_id: str) -> dict[str, bytes]:
    """What a device's keys hold, as DUMP gives it."""
    from django.conf import settings

    with redis.Redis.from_url(settings.INBOX_REDIS_URL) as client:
        return {key: client.dump(key) for key in list_keys_of(device_id)}


def restore_keys(dumps: dict[str, bytes]) -> None:
    """Put them back."""
    from django.conf import settings

    with redis.Redis.from_url(settings.INBOX_REDIS_URL) as client:
        for key, value in dumps.items():
            client.restore(key, 0, value)


def walk(step: Callable[[], int]) -> int:
    """Let the walk over all inboxes come round once. Returns how many were deleted."""
    from django.conf import settings

    from apps.delivery.sweep import INBOX_CURSOR_KEY
    from apps.valkey.pools import sync_client

    count = step()
    while sync_client(settings.REDIS_URL).get(INBOX_CURSOR_KEY):
        count += step()
    return count


def test_a_late_drain_gives_a_removed_device_no_inbox(world: Any) -> None:
    from apps.accounts.services import revoke_device
    from apps.delivery.tasks import forget_device

    world.relay(world.message(1))
    revoke_device(world.bob, world.bob1, "logged_out")
    forget_device(world.bob, world.bob1)
    world.bus.pages.clear()
    drain([request(world, world.bob, world.bob1)], world.bus)
    assert world.bus.pages == []
    assert list_keys_of(world.bob1) == []
    assert world.store.list_standings([f"msg-{1:016x}"])[f"msg-{1:016x}"].pending_devices == (world.bob2,)


def test_a_device_that_is_removed_while_its_inbox_is_rebuilt_has_none(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.accounts.services import revoke_device
    from apps.delivery.tasks import forget_device
    from apps.messagestore.orm import OrmMessageStore

    world.relay(world.message(1))
    flush(world)
    read = OrmMessageStore.list_pointers_since

    def read_then_remove(store: Any, user_id: str, since_ms: int) -> Any:
        revoke_device(world.bob, world.bob1, "logged_out")
        forget_device(world.bob, world.bob1)
        return read(store, user_id, since_ms)

    monkeypatch.setattr(OrmMessageStore, "list_pointers_since", read_then_remove)
    world.bus.pages.clear()
    drain([request(world, world.bob, world.bob1)], world.bus)
    assert world.bus.pages == []
    assert list_keys_of(world.bob1) == []


def test_the_inbox_of_a_removed_device_goes_though_the_cache_was_away_at_first(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.accounts.services import revoke_device
    from apps.delivery import sweep
    from apps.delivery.tasks import forget_device
    from apps.valkey.pools import ValkeyError

    def be_away(user_id: str, device_id: str) -> None:
        raise ValkeyError("the cache went away")

    world.relay(world.message(1))
    age(world)
    revoke_device(world.bob, world.bob1, "logged_out")
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "delete_inbox", be_away)
        with pytest.raises(ValkeyError):
            forget_device(world.bob, world.bob1)
    sweep.sweep_page(world.bus)
    assert list_keys_of(world.bob1) == []
