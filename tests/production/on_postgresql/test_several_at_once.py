"""Several processes at once on one PostgreSQL: what SQLite's one writer hides."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import connections, transaction

from apps.ingest.models import WorkerLease
from apps.ingest.worker_lease import lease_worker
from apps.messagelog.generation import set_up_log
from apps.messagelog.models import LogGeneration
from apps.messagestore.base import Confirmation, NewMessage, StoreUnavailable
from apps.messagestore.orm import OrmMessageStore

AtOnce = Callable[[Sequence[Callable[[], Any]]], list[Any]]

pytestmark = [
    pytest.mark.production,
    pytest.mark.django_db(databases=["default", "messages"], transaction=True),
]

A, B = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb"
A2, B1, B2 = "dev-aaaaaaaaaaa2", "dev-bbbbbbbbbbb1", "dev-bbbbbbbbbbb2"
NOW = int(time.time() * 1000)
IDS = [f"msg-{number:016x}" for number in range(1, 201)]


@pytest.fixture
def store() -> OrmMessageStore:
    return OrmMessageStore()


def new_message(message_id: str) -> NewMessage:
    return NewMessage(
        message_id=message_id,
        sender_id=A,
        sender_device="dev-aaaaaaaaaaa1",
        client_id=message_id,
        digest="d",
        receiver_id=B,
        conversation_id="cnv-1",
        sequence=int(message_id[4:], 16),
        content="hello",
        envelope=None,
        media=None,
        reply_to=None,
        timestamp_ms=NOW,
        sent_at_ms=NOW,
        pending_devices=(B1, B2),
        own_devices=(A2,),
        history_for=(),
        refusal="",
    )


def confirmation(user_id: str, device_id: str, message_id: str) -> Confirmation:
    return Confirmation(
        message_id=message_id, user_id=user_id, device_id=device_id, by_receiver=user_id == B, at_ms=NOW + 1
    )


def test_gateways_that_start_together_get_different_numbers(at_once: AtOnce) -> None:
    numbers = at_once([partial(lease_worker, f"gw-{number}") for number in range(30)])
    assert len(set(numbers)) == 30
    assert dict(WorkerLease.objects.values_list("worker_id", "holder")) == {
        number: f"gw-{index}" for index, number in enumerate(numbers)
    }


def test_numbers_that_ran_out_are_given_out_once_each(at_once: AtOnce) -> None:
    for number in range(12):
        lease_worker(f"old-{number}")
    WorkerLease.objects.update(expires_at="2024-01-01T00:00:00Z")
    numbers = at_once([partial(lease_worker, f"gw-{number}") for number in range(12)])
    assert len(set(numbers)) == 12
    assert WorkerLease.objects.count() == 12


@pytest.mark.usefixtures("log_valkey")
def test_hosts_that_set_the_log_up_together_agree_on_one_generation(at_once: AtOnce) -> None:
    generations = at_once([set_up_log] * 8)
    assert set(generations) == {1}
    assert LogGeneration.objects.count() == 1


def test_two_relays_with_the_same_rows_in_opposite_orders_never_wait_for_each_other(
    store: OrmMessageStore, at_once: AtOnce
) -> None:
    def confirm_all(ids: Sequence[str], user_id: str, device_id: str) -> None:
        with store.batch():
            store.confirm([confirmation(user_id, device_id, message_id) for message_id in ids])

    store.insert_absent([new_message(message_id) for message_id in IDS], NOW)
    for _ in range(5):
        at_once(
            [
                partial(confirm_all, IDS, B, B1),
                partial(confirm_all, IDS[::-1], A, A2),
                partial(confirm_all, IDS[::2] + IDS[1::2], B, B2),
            ]
        )
    standings = store.list_standings(IDS)
    assert all(one.delivered and not one.pending_devices and not one.own_devices for one in standings.values())
    assert store.list_bodies(IDS) == {}


def test_two_relays_with_the_same_records_store_each_once(store: OrmMessageStore, at_once: AtOnce) -> None:
    def relay() -> int:
        with store.batch():
            return len(store.insert_absent([new_message(message_id) for message_id in IDS], NOW))

    found = at_once([relay, relay, relay])
    assert 0 in found, "one of them stored all"
    assert len(store.list_standings(IDS)) == len(IDS)


def test_of_two_ids_for_one_triple_one_stands_for_both_relays(store: OrmMessageStore, at_once: AtOnce) -> None:
    one = new_message(IDS[0])
    other = replace(one, message_id=IDS[1], sequence=9)

    def relay(message: NewMessage) -> str:
        with store.batch():
            standings = store.insert_absent([message], NOW)
        return standings[message.message_id].message_id if standings else message.message_id

    assert len(set(at_once([partial(relay, one), partial(relay, other)]))) == 1


def test_a_deadlock_is_a_batch_to_repeat(store: OrmMessageStore, at_once: AtOnce) -> None:
    store.insert_absent([new_message(message_id) for message_id in IDS[:2]], NOW)

    def mark_both(first: str, second: str) -> str:
        try:
            with store.batch():
                store.mark_repeated([first])
                time.sleep(0.5)  # until the other one has its first row too
                store.mark_repeated([second])
        except StoreUnavailable:
            return "repeat"
        return "done"

    outcomes = at_once([partial(mark_both, *IDS[:2]), partial(mark_both, *IDS[1::-1])])
    assert sorted(outcomes) == ["done", "repeat"]
    store.mark_repeated(IDS[:2])


def test_a_serialization_failure_is_a_batch_to_repeat(store: OrmMessageStore, at_once: AtOnce) -> None:
    def change_what_another_changed() -> None:
        with store.batch():
            with connections["messages"].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            store.list_standings(IDS[:1])
            at_once([partial(store.mark_repeated, IDS[:1])])
            store.mark_repeated(IDS[:1])

    store.insert_absent([new_message(IDS[0])], NOW)
    with pytest.raises(StoreUnavailable):
        change_what_another_changed()
    assert store.list_standings(IDS[:1])[IDS[0]].repeated


def test_a_row_that_the_database_refuses_is_no_outage(store: OrmMessageStore) -> None:
    with pytest.raises(Exception, match="too long") as refused:
        store.insert_absent([replace(new_message(IDS[0]), conversation_id="x" * 99)], NOW)
    assert not isinstance(refused.value, StoreUnavailable)
    assert store.insert_absent([new_message(IDS[0])], NOW) == {}


def test_blocking_someone_twice_at_once_makes_one_block(at_once: AtOnce, cache_valkey: str) -> None:
    from apps.accounts.models import Block
    from apps.accounts.services import block_user, register_user

    ada = register_user("ada", "correct horse battery").pk
    bob = register_user("bob", "correct horse battery").pk
    made = [created for _, created in at_once([partial(block_user, ada, bob)] * 6)]
    assert sorted(made) == [False] * 5 + [True]
    with transaction.atomic():
        assert Block.objects.count() == 1


def test_of_two_registrations_of_one_name_one_wins(at_once: AtOnce) -> None:
    from apps.accounts.errors import AccountError
    from apps.accounts.services import register_user

    def register(name: str) -> str:
        try:
            return register_user(name, "correct horse battery").pk
        except AccountError as error:
            return type(error).__name__

    outcomes = at_once([partial(register, "Ada"), partial(register, "ADA"), partial(register, "ada")])
    assert sum(one.startswith("usr-") for one in outcomes) == 1
