"""What every Message DB must do. Each adapter runs the whole suite on a real engine."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from apps.messagestore.base import (
    TRACE_KEPT_MS,
    UNDELIVERED_KEPT_MS,
    ClientKey,
    Confirmation,
    MessageStore,
    NewMessage,
    Pointer,
    Standing,
    Trace,
)
from apps.messagestore.history import Window
from apps.protocol.limits import HISTORY_KEPT_MS

A, B = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb"
A1, A2, B1, B2 = "dev-aaaaaaaaaaa1", "dev-aaaaaaaaaaa2", "dev-bbbbbbbbbbb1", "dev-bbbbbbbbbbb2"
NOW = int(time.time() * 1000)
MESSAGE = NewMessage(
    message_id="msg-0000000000000001",
    sender_id=A,
    sender_device=A1,
    client_id="i1",
    digest="d1",
    receiver_id=B,
    conversation_id="cnv-1",
    sequence=1,
    content="hello",
    envelope=None,
    media={"media_id": "med-1"},
    reply_to="msg-0000000000000000",
    timestamp_ms=NOW,
    sent_at_ms=NOW - 5,
    pending_devices=(B1, B2),
    own_devices=(A2,),
    history_for=(),
    refusal="",
)

ReadRawRow = Callable[[str], Mapping[str, Any]]

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


@pytest.fixture(params=["orm", pytest.param("mongo", marks=pytest.mark.production)])
def store(request: pytest.FixtureRequest) -> MessageStore:
    made: MessageStore = request.getfixturevalue(f"{request.param}_store")
    return made


def numbered(number: int, **changes: object) -> NewMessage:
    fields = {
        "message_id": f"msg-{number:016x}",
        "client_id": f"i{number}",
        "sequence": number,
        "timestamp_ms": NOW + number,
    }
    return replace(MESSAGE, **(fields | changes))  # type: ignore[arg-type]


def confirm(store: MessageStore, user: str, device: str, *numbers: int, at_ms: int = NOW + 100) -> None:
    store.confirm(
        [
            Confirmation(
                message_id=f"msg-{number:016x}",
                user_id=user,
                device_id=device,
                by_receiver=user == B,
                at_ms=at_ms,
            )
            for number in numbers
        ]
    )


def standing(store: MessageStore, number: int = 1) -> Standing:
    return store.list_standings([f"msg-{number:016x}"])[f"msg-{number:016x}"]


def trace(store: MessageStore, number: int = 1) -> Trace:
    found = store.trace(f"msg-{number:016x}")
    assert found is not None
    return found


def test_a_batch_of_new_messages_is_stored_whole(store: MessageStore) -> None:
    assert store.insert_absent([numbered(number) for number in range(1, 1_201)], NOW) == {}
    ids = [f"msg-{number:016x}" for number in range(1, 1_201)]
    assert len(store.list_standings(ids)) == 1_200
    body = store.list_bodies(ids)[ids[0]]
    assert (body.content, body.media, body.reply_to) == ("hello", {"media_id": "med-1"}, "msg-0000000000000000")
    assert body.waited_for == (B1, B2, A2)


def test_a_replay_of_the_same_record_changes_nothing(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    confirm(store, B, B1, 1)
    found = store.insert_absent([MESSAGE, numbered(2)], NOW + 1)
    assert (found[MESSAGE.message_id].sequence, found[MESSAGE.message_id].pending_devices) == (1, (B2,))
    assert found[MESSAGE.message_id].delivered


def test_the_first_position_of_an_id_is_its_sequence(store: MessageStore) -> None:
    store.insert_absent([MESSAGE, replace(MESSAGE, sequence=9)], NOW)
    assert standing(store).sequence == 1


def test_another_id_for_the_same_triple_finds_the_one_that_stands(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    second = replace(MESSAGE, message_id="msg-00000000000000ff", sequence=9)
    found = store.insert_absent([second], NOW)
    assert found[second.message_id].message_id == MESSAGE.message_id
    assert store.list_standings([second.message_id]) == {}


def test_a_message_is_found_by_its_clients_own_id(store: MessageStore) -> None:
    store.insert_absent([MESSAGE, numbered(2)], NOW)
    key = ClientKey(
        sender_id=MESSAGE.sender_id,
        sender_device=MESSAGE.sender_device,
        client_id=MESSAGE.client_id,
        receiver_id=MESSAGE.receiver_id,
    )
    found = store.list_standings_by_client([key, replace(key, client_id="i999"), replace(key, sender_device=B1)])
    assert found == {key: standing(store)}
    assert store.list_standings_by_client([]) == {}


def test_of_two_ids_for_one_triple_in_a_batch_the_first_one_stands(store: MessageStore) -> None:
    second = replace(MESSAGE, message_id="msg-00000000000000ff", sequence=9)
    found = store.insert_absent([MESSAGE, numbered(2), second], NOW)
    assert found[second.message_id] == found[MESSAGE.message_id] == standing(store)
    assert found[numbered(2).message_id].sequence == 2


def test_a_client_id_used_again_for_somebody_else_finds_the_one_that_stands(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    other = replace(MESSAGE, message_id="msg-00000000000000ff", receiver_id="usr-cccccccccccc", digest="d2")
    assert store.insert_absent([other], NOW)[other.message_id].digest == "d1"


def test_whatever_people_put_into_an_envelope_comes_back(store: MessageStore) -> None:
    envelope = {"$set": {"a.b": 2**63 + 1, "": None}, "\x00": [[[{"deep": "\x00"}]]], "_id": 1.5, "ключ": True}
    store.insert_absent([replace(MESSAGE, content=None, envelope=envelope, media={"a": envelope})], NOW)
    body = store.list_bodies([MESSAGE.message_id])[MESSAGE.message_id]
    assert (body.content, body.envelope, body.media) == (None, envelope, {"a": envelope})


def test_client_ids_of_two_devices_do_not_meet(store: MessageStore) -> None:
    other = replace(MESSAGE, message_id="msg-00000000000000ff", sender_device=A2)
    assert store.insert_absent([MESSAGE, other], NOW) == {}


def test_the_receivers_first_confirmation_delivers_and_the_last_device_strips(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    confirm(store, B, B1, 1)
    row = standing(store)
    assert (row.undelivered, row.settled_at_ms, row.pending_devices) == (False, NOW + 100, (B2,))
    assert store.list_bodies([MESSAGE.message_id])
    confirm(store, B, B2, 1, at_ms=NOW + 200)
    confirm(store, A, A2, 1, at_ms=NOW + 300)
    assert store.list_bodies([MESSAGE.message_id]) == {}
    row = standing(store)
    assert (row.settled_at_ms, row.pending_devices, row.own_devices, row.digest) == (NOW + 100, (), (), "d1")


def test_stripping_leaves_no_content_in_the_row(store: MessageStore, read_raw_row: ReadRawRow) -> None:
    store.insert_absent([replace(MESSAGE, pending_devices=(B1,), own_devices=(), envelope={"x": 1})], NOW)
    row = read_raw_row(MESSAGE.message_id)
    assert [bool(row.get(name)) for name in ("content", "envelope", "media", "reply_to")] == [True] * 4
    confirm(store, B, B1, 1)
    row = read_raw_row(MESSAGE.message_id)
    assert [row.get(name) for name in ("content", "envelope", "media", "reply_to")] == [None] * 4
    assert trace(store).expires_at_ms == NOW + 100 + TRACE_KEPT_MS


def test_delivered_content_does_not_come_back_with_a_replay(store: MessageStore, read_raw_row: ReadRawRow) -> None:
    delivered = replace(MESSAGE, pending_devices=(B1,), own_devices=(), envelope={"x": 1})
    store.insert_absent([delivered], NOW)
    confirm(store, B, B1, 1)
    # People may have other devices by then, and keep history; the same client may have sent it under another id.
    later = replace(delivered, pending_devices=(B1, B2), own_devices=(A2,), history_for=(A, B))
    for again in (delivered, later, replace(later, message_id="msg-00000000000000ff", sequence=9)):
        store.insert_absent([again], NOW + 1_000)
    confirm(store, B, B1, 1, at_ms=NOW + 2_000)
    row = read_raw_row(MESSAGE.message_id)
    assert [row.get(name) for name in ("content", "envelope", "media", "reply_to")] == [None] * 4
    assert standing(store).pending_devices == ()
    assert store.list_standings(["msg-00000000000000ff"]) == {}, "nothing stands beside it"
    assert store.list_pending(B, B1, NOW) == store.list_pending(B, B2, NOW) == []


def test_what_was_stripped_is_nowhere_in_sqlites_file(orm_store: MessageStore) -> None:
    if connections["messages"].vendor != "sqlite":
        pytest.skip("PostgreSQL has its vacuum")
    # From one row of many in a page to one that takes pages of its own.
    rows = [
        numbered(number, pending_devices=(B1,), own_devices=(), content=f"SECRET{number} " * (1 + number * 7 % 2_000))
        for number in range(1, 401)
    ]
    orm_store.insert_absent(rows, NOW)
    assert b"SECRET" in read_database_file()
    confirm(orm_store, B, B1, *range(1, 401, 2))
    confirm(orm_store, B, B1, *range(2, 401, 2))
    assert b"SECRET" not in read_database_file()


def read_database_file() -> bytes:
    """All bytes of the Message DB's file, after what SQLite wrote ahead has gone into it."""
    with connections["messages"].cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert cursor.fetchone()[0] == 0, "somebody else reads"
    return Path(connections["messages"].settings_dict["NAME"]).read_bytes()


def test_the_senders_own_device_does_not_make_a_message_delivered(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, pending_devices=())], NOW)
    confirm(store, A, A2, 1)
    row = standing(store)
    assert (row.undelivered, row.settled_at_ms, row.own_devices) == (True, None, ())
    assert store.list_bodies([MESSAGE.message_id]), "nobody has it yet"


def test_nobody_else_can_confirm(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    foreign = Confirmation(
        message_id=MESSAGE.message_id, user_id="usr-cccccccccccc", device_id=B1, by_receiver=True, at_ms=NOW + 100
    )
    store.confirm([foreign, replace(foreign, by_receiver=False), replace(foreign, by_receiver=False, device_id=A2)])
    row = standing(store)
    assert (row.undelivered, row.pending_devices, row.own_devices) == (True, (B1, B2), (A2,))


def test_a_batch_may_confirm_for_messages_that_wait_for_one_device_and_for_more(store: MessageStore) -> None:
    store.insert_absent([numbered(1, pending_devices=(B1,), own_devices=()), numbered(2), numbered(3)], NOW)
    confirm(store, B, B1, 1, 2, 2)
    assert [standing(store, number).pending_devices for number in (1, 2, 3)] == [(), (B2,), (B1, B2)]
    assert [standing(store, number).delivered for number in (1, 2, 3)] == [True, True, False]


def test_a_confirmation_twice_is_one(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    confirm(store, B, B1, 1)
    confirm(store, B, B1, 1, at_ms=NOW + 999)
    assert standing(store).settled_at_ms == NOW + 100


def test_history_keeps_the_content_for_ninety_days_from_the_first_confirmation(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, pending_devices=(B1, B2), own_devices=(), history_for=(B,))], NOW)
    assert trace(store).expires_at_ms == NOW + UNDELIVERED_KEPT_MS
    confirm(store, B, B1, 1)
    confirm(store, B, B2, 1, at_ms=NOW + 500)
    assert trace(store).expires_at_ms == NOW + 100 + HISTORY_KEPT_MS
    assert store.list_bodies([MESSAGE.message_id])[MESSAGE.message_id].content == "hello"
    assert store.list_waiting_page(("", ""), 10, NOW + 1) == [], "nobody waits for what is only kept"


def test_a_refused_message_has_no_content_and_is_settled(store: MessageStore) -> None:
    store.insert_absent(
        [replace(MESSAGE, refusal="forbidden", content=None, media=None, pending_devices=(), own_devices=())], NOW
    )
    row = standing(store)
    assert (row.refusal, row.undelivered, row.settled_at_ms, row.delivered) == ("forbidden", False, NOW, False)
    assert store.list_bodies([MESSAGE.message_id]) == {}


def test_a_new_device_adopts_what_no_device_has_confirmed(store: MessageStore) -> None:
    store.insert_absent([numbered(number, pending_devices=(B1,), own_devices=()) for number in (1, 2, 3)], NOW)
    confirm(store, B, B1, 2)
    assert store.adopt_undelivered(B, B2, NOW + 200) == 2
    assert store.adopt_undelivered(B, B2, NOW + 200) == 0
    assert {row[0] for row in store.list_pending(B, B2, NOW)} == {"msg-0000000000000001", "msg-0000000000000003"}


def test_a_new_device_does_not_get_what_another_one_has_confirmed(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    confirm(store, B, B1, 1)
    assert store.adopt_undelivered(B, "dev-bbbbbbbbbbb3", NOW + 200) == 0
    assert standing(store).pending_devices == (B2,)


def test_pending_lists_own_copies_too(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW)
    assert store.list_pending(A, A2, NOW) == [(MESSAGE.message_id, "cnv-1", 1, NOW)]
    assert store.list_pending(A, A1, NOW) == []


def test_what_waits_is_read_without_a_gap_though_the_relay_goes_on(
    store: MessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time the store has looked at its rows, the relay stores a message to A and then the copy of one by A."""
    stored = 0

    def relay_on() -> None:
        nonlocal stored
        to_a = {"sender_id": B, "sender_device": B1, "receiver_id": A, "pending_devices": (A1, A2), "own_devices": ()}
        store.insert_absent([numbered(stored + 1, **to_a), numbered(stored + 2)], NOW)
        stored += 2

    hook_reads(monkeypatch, relay_on)
    relay_on()
    found = sorted(row[2] for row in store.list_pending(A, A2, NOW))
    assert stored > 2, "the relay did go on"
    assert found == list(range(1, len(found) + 1)), "what came later stands in it, and something before it does not"
    assert len(found) >= 2


def hook_reads(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Let something happen whenever a store has read rows; what it reads itself does not count."""
    from pymongo.collection import Collection

    from apps.messagestore import orm

    inside = False

    def hooked(read: Callable[..., Any]) -> Callable[..., Any]:
        def read_then(*args: Any, **options: Any) -> list[Any]:
            nonlocal inside
            rows = list(read(*args, **options))
            if not inside:
                inside = True
                try:
                    then()
                finally:
                    inside = False
            return rows

        return read_then

    monkeypatch.setattr(orm, "fetch", hooked(orm.fetch))
    monkeypatch.setattr(Collection, "find", hooked(Collection.find))


def test_a_removed_device_never_takes_the_last_copy_with_it(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, pending_devices=(B1,), own_devices=())], NOW)
    assert store.release_device(B, B1, NOW) == 1
    assert standing(store).undelivered
    assert store.adopt_undelivered(B, B2, NOW) == 1
    assert store.list_bodies([MESSAGE.message_id])[MESSAGE.message_id].waited_for == (B2,)


def test_releasing_the_last_device_of_a_delivered_message_strips_it(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, pending_devices=(B1, B2), own_devices=())], NOW)
    confirm(store, B, B1, 1)
    store.release_device(B, B2, NOW + 500)
    assert store.list_bodies([MESSAGE.message_id]) == {}


def test_releasing_a_device_of_the_senders_strips_what_only_waited_for_that(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, pending_devices=(B1,)), numbered(2, pending_devices=(B1,))], NOW)
    confirm(store, B, B1, 1)
    assert store.release_device(A, A2, NOW + 500) == 2
    assert list(store.list_bodies([MESSAGE.message_id, numbered(2).message_id])) == [numbered(2).message_id]
    assert store.list_pending(A, A2, NOW) == []


def test_the_last_two_devices_may_confirm_at_once(store: MessageStore) -> None:
    numbers = range(1, 41)
    store.insert_absent([numbered(number, pending_devices=(B1,), own_devices=(A2,)) for number in numbers], NOW)
    start = threading.Barrier(2)

    def confirm_all(user: str, device: str) -> None:
        start.wait()
        try:
            for number in numbers:
                confirm(store, user, device, number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(confirm_all, *party) for party in ((B, B1), (A, A2))]:
            done.result()
    ids = [numbered(number).message_id for number in numbers]
    assert store.list_bodies(ids) == {}
    assert all(row.delivered and not row.pending_devices for row in store.list_standings(ids).values())
    assert store.list_waiting_page(("", ""), 100, NOW + 1) == []


def test_a_trace_tells_each_hop_and_never_content(store: MessageStore) -> None:
    store.insert_absent([replace(MESSAGE, history_for=(A,))], NOW + 7)
    confirm(store, B, B2, 1, at_ms=NOW + 10)
    confirm(store, A, A2, 1, at_ms=NOW + 20)
    confirm(store, B, B1, 1, at_ms=NOW + 30)
    way = trace(store)
    assert (way.sent_at_ms, way.standing.timestamp_ms, way.stored_at_ms) == (NOW - 5, NOW, NOW + 7)
    assert way.confirmations == ((B2, NOW + 10), (A2, NOW + 20), (B1, NOW + 30))
    assert (way.standing.settled_at_ms, way.stripped_at_ms, way.history_for) == (NOW + 10, None, (A,))
    assert "hello" not in repr(way)
    assert store.trace("msg-00000000000000ff") is None


def test_receipts_can_be_found_again(store: MessageStore) -> None:
    store.insert_absent([numbered(number) for number in (1, 2, 3)], NOW)
    confirm(store, B, B1, 2, at_ms=NOW + 50)
    confirm(store, B, B1, 1, at_ms=NOW + 60)
    store.mark_repeated(["msg-0000000000000001"])
    found = store.list_settled_since(A, NOW + 50)
    assert [(row.sequence, row.repeated) for row in found] == [(2, False), (1, True)]
    assert store.list_settled_since(B, 0) == []


def test_read_pointers_only_rise(store: MessageStore) -> None:
    high = Pointer(conversation_id="cnv-1", reader_id=B, peer_id=A, message_id="msg-5", sequence=5, read_at_ms=NOW)
    assert store.raise_pointers([high]) == [high]
    assert store.raise_pointers([replace(high, sequence=4, message_id="msg-4")]) == [high]
    assert store.list_pointers_since(A, NOW) == store.list_pointers_since(B, NOW) == [high]
    assert store.list_pointers_since(A, NOW + 1) == []


def test_a_conversation_shows_how_far_each_has_read_it(store: MessageStore) -> None:
    bobs = Pointer(conversation_id="cnv-1", reader_id=B, peer_id=A, message_id="msg-5", sequence=5, read_at_ms=NOW)
    adas = replace(bobs, reader_id=A, peer_id=B, message_id="msg-6", sequence=6)
    elsewhere = replace(bobs, conversation_id="cnv-12")
    assert store.raise_pointers([bobs, adas, elsewhere]) == [bobs, adas, elsewhere]
    assert sorted(store.list_read_pointers("cnv-1"), key=lambda one: one.sequence) == [bobs, adas]


def test_the_sweep_walks_over_what_is_pending_in_pages(store: MessageStore) -> None:
    store.insert_absent([numbered(number) for number in range(1, 6)], NOW)
    store.insert_absent([numbered(9)], NOW + 5_000)
    confirm(store, B, B1, 3)
    confirm(store, B, B2, 3)
    confirm(store, A, A2, 3)
    first = store.list_waiting_page(("", ""), 2, NOW + 1_000)
    rest = store.list_waiting_page((first[-1].receiver_id, first[-1].message_id), 10, NOW + 1_000)
    assert [row.sequence for row in (*first, *rest)] == [1, 2, 4, 5]


def test_purging_deletes_what_is_past_its_time_and_nothing_else(store: MessageStore) -> None:
    store.insert_absent([numbered(number, pending_devices=(B1,), own_devices=()) for number in (1, 2, 3)], NOW)
    confirm(store, B, B1, 1, 2)
    assert store.purge_expired(NOW + 99 + TRACE_KEPT_MS, 10) == 0
    assert store.count_expired(NOW + 100 + TRACE_KEPT_MS) == 2
    assert store.purge_expired(NOW + 100 + TRACE_KEPT_MS, 1) == 1
    assert store.purge_expired(NOW + 100 + TRACE_KEPT_MS, 10) == 1
    assert standing(store, 3).undelivered


def test_a_batch_that_fails_leaves_nothing_behind_where_there_are_transactions(orm_store: MessageStore) -> None:
    def fail_midway() -> None:
        with orm_store.batch():
            orm_store.insert_absent([MESSAGE], NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_midway()
    assert orm_store.list_standings([MESSAGE.message_id]) == {}


def test_a_batch_that_failed_midway_may_be_stored_again(store: MessageStore) -> None:
    def store_batch(*, fails: bool) -> dict[str, Standing]:
        with store.batch():
            found = store.insert_absent([numbered(1), numbered(2)], NOW)
            confirm(store, B, B1, 1)
            if fails:
                raise RuntimeError
        return found

    with pytest.raises(RuntimeError):
        store_batch(fails=True)
    found = store_batch(fails=False)
    assert all(found[one].sequence == number for number, one in enumerate(found, 1)), "they are the batch's own"
    assert (standing(store).pending_devices, standing(store).settled_at_ms) == ((B2,), NOW + 100)
    assert [device for device, _ in trace(store).confirmations] == [B1]


def test_what_is_past_its_time_is_read_no_more_though_it_was_not_purged_yet(store: MessageStore) -> None:
    store.insert_absent([MESSAGE], NOW - UNDELIVERED_KEPT_MS - 1)
    assert store.list_bodies([MESSAGE.message_id]) == {}


# --- History ---------------------------------------------------------------------------------------------------------


def window(keeper: str, **changes: Any) -> Window:
    return replace(Window(keeper_id=keeper, now_ms=NOW + 1_000, limit=100), **changes)


def contents(store: MessageStore, keeper: str, **changes: Any) -> list[str | None]:
    return [body.content for body in store.history.list_messages("cnv-1", window(keeper, **changes))]


def test_history_is_for_those_who_keep_it_newest_first(store: MessageStore) -> None:
    store.insert_absent(
        [
            numbered(1, content="both", history_for=(A, B)),
            numbered(2, content="only a", history_for=(A,)),
            numbered(3, content="nobody"),
            numbered(4, content="elsewhere", conversation_id="cnv-2", history_for=(A, B)),
            numbered(5, content=None, history_for=(), refusal="forbidden", pending_devices=(), own_devices=()),
        ],
        NOW,
    )
    assert contents(store, A) == ["only a", "both"]
    assert contents(store, B) == ["both"]


def test_history_goes_on_below_a_sequence_and_within_times(store: MessageStore) -> None:
    store.insert_absent([numbered(one, content=str(one), history_for=(A,)) for one in range(1, 8)], NOW)
    page = store.history.list_messages("cnv-1", window(A, limit=3))
    assert [body.sequence for body in page] == [7, 6, 5]
    assert [body.sequence for body in store.history.list_messages("cnv-1", window(A, limit=3), below=5)] == [4, 3, 2]
    assert contents(store, A, until_ms=NOW + 3, after_ms=NOW + 1) == ["3", "2"]
    assert contents(store, A, now_ms=NOW + UNDELIVERED_KEPT_MS + 1) == []


def test_conversations_come_with_their_last_message_and_what_is_unread(store: MessageStore) -> None:
    store.insert_absent(
        [
            numbered(1, history_for=(A, B)),
            numbered(2, history_for=(B,)),
            numbered(3, history_for=(B,), sender_id=B, sender_device=B1, receiver_id=A, content="answer"),
            numbered(4, history_for=(B,), content="last"),
            numbered(5, history_for=(B,), conversation_id="cnv-2", sender_id="usr-cccccccccccc"),
            numbered(6, history_for=(A,), conversation_id="cnv-3"),
        ],
        NOW,
    )
    store.raise_pointers(
        [Pointer(conversation_id="cnv-1", reader_id=B, peer_id=A, message_id="m1", sequence=1, read_at_ms=NOW)]
    )
    found = store.history.list_conversations(window(B))
    assert [(one.last.conversation_id, one.last.sequence, one.unread) for one in found] == [
        ("cnv-2", 5, 1),
        ("cnv-1", 4, 2),
    ]
    (first,) = store.history.list_conversations(window(B, limit=1))
    (second,) = store.history.list_conversations(window(B), before=(first.at_ms, first.last.conversation_id))
    assert (second.last.content, second.at_ms) == ("last", NOW + 4)
    assert store.history.list_conversations(window("usr-dddddddddddd")) == []


def test_forgetting_strips_what_only_this_person_kept(store: MessageStore, read_raw_row: ReadRawRow) -> None:
    store.insert_absent(
        [
            numbered(1, history_for=(A,), own_devices=(), pending_devices=(B1,)),
            numbered(2, history_for=(A, B), own_devices=(), pending_devices=(B1,)),
            numbered(3, history_for=(A,), own_devices=(), pending_devices=(B1,)),
            numbered(4, history_for=(A,), own_devices=(), pending_devices=(B1,), timestamp_ms=NOW + 500),
        ],
        NOW,
    )
    confirm(store, B, B1, 1, 2, 4)
    forgetting = window(A, until_ms=NOW + 400)
    assert store.history.forget(forgetting) == 3
    assert store.history.forget(forgetting) == 0
    assert trace(store, 1).stripped_at_ms == NOW + 1_000
    assert trace(store, 1).expires_at_ms == NOW + 1_000 + TRACE_KEPT_MS
    assert not read_raw_row(MESSAGE.message_id).get("content")
    assert contents(store, B) == ["hello"]
    assert list(store.list_bodies(["msg-0000000000000003"])) == ["msg-0000000000000003"], "it still waits for a device"
    assert contents(store, A) == ["hello"], "what was accepted later stays"
    confirm(store, B, B1, 3)
    assert trace(store, 3).stripped_at_ms is not None


def test_when_both_forget_nothing_is_left_whoever_comes_first(store: MessageStore) -> None:
    store.insert_absent([numbered(one, history_for=(A, B), own_devices=()) for one in (1, 2)], NOW)
    confirm(store, B, B1, 1, 2)
    confirm(store, B, B2, 1)
    for keeper in (A, B):
        while store.history.forget(window(keeper, limit=1)):
            pass
    assert trace(store, 1).stripped_at_ms is not None
    assert trace(store, 2).stripped_at_ms is None, "another device still waits for it"
    confirm(store, B, B2, 2)
    assert trace(store, 2).stripped_at_ms is not None


def test_forgotten_content_does_not_come_back_with_a_replay(store: MessageStore) -> None:
    kept = numbered(1, history_for=(A,), own_devices=(), pending_devices=(B1,))
    store.insert_absent([kept], NOW)
    confirm(store, B, B1, 1)
    store.history.forget(window(A))
    store.insert_absent([kept], NOW + 2_000)
    assert trace(store).stripped_at_ms is not None
    assert contents(store, A) == []


# --- Personal data ---------------------------------------------------------------------------------------------------

C = "usr-cccccccccccc"


def test_all_that_somebody_sent_or_received_can_be_listed_in_pages(store: MessageStore) -> None:
    store.insert_absent(
        [
            numbered(1),
            numbered(2, sender_id=B, sender_device=B1, receiver_id=A),
            numbered(3, receiver_id=C),
            numbered(4, sender_id=C, sender_device="dev-c", receiver_id=B),
            numbered(5, refusal="forbidden", content=None, media=None, reply_to=None),
        ],
        NOW,
    )
    first = store.personal_data.list_messages(A, "", 2)
    rest = store.personal_data.list_messages(A, first[-1].trace.standing.message_id, 10)
    assert [one.trace.standing.sequence for one in (*first, *rest)] == [1, 2, 3, 5]
    assert (store.personal_data.count_messages(A), store.personal_data.count_messages("usr-dddddddddddd")) == (4, 0)
    assert [one.body.content if one.body else None for one in (*first, *rest)] == ["hello", "hello", "hello", None]


def test_a_message_is_for_who_wrote_keeps_or_awaits_it(store: MessageStore) -> None:
    store.insert_absent([numbered(1, own_devices=(), pending_devices=(B1,), history_for=(A,))], NOW)
    (waiting,) = store.personal_data.list_messages(B, "", 10)
    assert (waiting.is_for(A), waiting.is_for(B), waiting.is_for(C)) == (True, True, False)
    confirm(store, B, B1, 1)
    (kept,) = store.personal_data.list_messages(B, "", 10)
    assert (kept.is_for(A), kept.is_for(B)) == (True, False)


def test_erasing_a_person_leaves_the_others_alone(store: MessageStore) -> None:
    store.insert_absent([numbered(1), numbered(2, receiver_id=C), numbered(3, sender_id=B, receiver_id=C)], NOW)
    pointer = Pointer(conversation_id="c1", reader_id=A, peer_id=B, message_id="m", sequence=1, read_at_ms=NOW)
    others = replace(pointer, conversation_id="c2", reader_id=B, peer_id=C)
    store.raise_pointers([pointer, replace(pointer, reader_id=B, peer_id=A), others])
    assert store.personal_data.list_read_pointers(A) == [pointer]
    erased = 0
    while count := store.personal_data.erase(A, 1):
        erased += count
    assert erased == 2
    assert store.personal_data.list_messages(A, "", 10) == []
    assert [one.trace.standing.sequence for one in store.personal_data.list_messages(C, "", 10)] == [3]
    assert store.personal_data.list_read_pointers(B) == [others]
