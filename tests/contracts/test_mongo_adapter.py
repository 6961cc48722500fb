"""What only the MongoDB adapter has: its indexes, its shards, its crashes between two statements."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from django.test import override_settings
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure

from apps.messagestore import mongo_connection, mongo_schema
from apps.messagestore.base import Confirmation, NewMessage, Pointer, StoreUnavailable
from apps.messagestore.mongo import MongoMessageStore
from apps.messagestore.mongo_connection import Collections
from apps.protocol.limits import HISTORY_KEPT_MS
from tests.servers.mongo import MongoServer

pytestmark = pytest.mark.production

NOW = int(time.time() * 1000)
MESSAGE = NewMessage(
    message_id="msg-0000000000000001",
    sender_id="usr-a",
    sender_device="dev-a1",
    client_id="i1",
    digest="d1",
    receiver_id="usr-b",
    conversation_id="cnv-1",
    sequence=1,
    content="hello",
    envelope=None,
    media=None,
    reply_to=None,
    timestamp_ms=NOW,
    sent_at_ms=NOW,
    pending_devices=("dev-b1", "dev-b2"),
    own_devices=(),
    history_for=(),
    refusal="",
)
CONFIRMATIONS = [
    Confirmation(message_id=MESSAGE.message_id, user_id="usr-b", device_id=device_id, by_receiver=True, at_ms=NOW + 100)
    for device_id in MESSAGE.pending_devices
]


def options_of(collection: Collection[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the options of each index, by its keys."""
    return {
        tuple(f"{'-' if direction == -1 else ''}{key}" for key, direction in index["key"].items()): {
            name: value for name, value in index.items() if name not in ("key", "name", "v", "ns")
        }
        for index in collection.list_indexes()
    }


def test_the_indexes_of_the_design_are_made(mongo_store: MongoMessageStore, mongo_collections: Collections) -> None:
    found = options_of(mongo_collections.messages)
    assert found["sender_id", "sender_device", "client_id"] == {"unique": True}
    assert found["expires_at",] == {"expireAfterSeconds": 0}
    assert found["receiver_id", "undelivered", "timestamp"] == {"partialFilterExpression": {"waiting": True}}
    assert {
        ("sender_id", "receiver_id", "-timestamp"),
        ("conversation_id", "-sequence"),
        ("group_id", "sequence"),
    } <= set(found)


def test_the_time_to_live_is_a_date_within_what_mongodb_counts(
    mongo_store: MongoMessageStore, mongo_collections: Collections
) -> None:
    year_2037 = 2_140_000_000_000
    mongo_store.insert_absent([MESSAGE], year_2037)
    row = mongo_collections.messages.find_one({"_id": MESSAGE.message_id}) or {}
    assert row["expires_at"] == DatetimeMS(2_145_830_400_000), "2037-12-31, and not a year after it was stored"


def test_setting_up_may_be_repeated(mongo_store: MongoMessageStore) -> None:
    mongo_store.insert_absent([MESSAGE], NOW)
    assert {line.rpartition(": ")[2] for line in mongo_store.set_up()} == {"is there"}
    assert mongo_store.list_standings([MESSAGE.message_id])


def test_an_index_that_is_there_and_differs_is_refused_by_name(
    mongo_store: MongoMessageStore, mongo_collections: Collections
) -> None:
    mongo_collections.messages.drop_index("expiry")
    mongo_collections.messages.create_index("expires_at", name="expiry", expireAfterSeconds=60)
    with pytest.raises(ValueError, match=r"'expiry' of messages .*60.*dropIndex\(\"expiry\"\)"):
        mongo_store.set_up()


def test_a_database_that_would_take_duplicates_is_not_used(
    mongo_store: MongoMessageStore, mongo_collections: Collections, mongo_url: str
) -> None:
    with override_settings(MESSAGE_STORE_URL=f"{mongo_url}-new"):
        store = MongoMessageStore()
    with pytest.raises(StoreUnavailable, match="setup_store"):
        store.insert_absent([MESSAGE], NOW)
    store.set_up()
    assert store.insert_absent([MESSAGE], NOW) == {}
    store.close()


def test_handles_promise_durability_and_histories_may_come_from_a_secondary(mongo_collections: Collections) -> None:
    for collection in (mongo_collections.messages, mongo_collections.read_pointers):
        assert collection.write_concern.document == {"w": "majority", "j": True, "wtimeout": 5_000}
        assert collection.read_concern.level == "majority"
        assert collection.read_preference == ReadPreference.PRIMARY
    assert mongo_collections.history.full_name == mongo_collections.messages.full_name
    assert mongo_collections.history.read_preference == ReadPreference.SECONDARY_PREFERRED


def test_what_is_only_kept_leaves_the_indexes_of_what_waits(
    mongo_store: MongoMessageStore, mongo_collections: Collections
) -> None:
    mongo_store.insert_absent([replace(MESSAGE, history_for=("usr-b",))], NOW)
    mongo_store.confirm(CONFIRMATIONS)
    assert mongo_collections.messages.count_documents({"waiting": False, "content": "hello"}) == 1


def test_a_row_whose_time_was_put_off_meanwhile_is_not_purged(
    mongo_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo_store.insert_absent([MESSAGE], NOW)

    class Found(list[dict[str, str]]):
        def limit(self, _: int) -> "Found":
            return self

    with monkeypatch.context() as earlier:
        earlier.setattr(Collection, "find", lambda *_: Found([{"_id": MESSAGE.message_id}]))
        assert mongo_store.purge_expired(NOW + 1, 10) == 0
    assert mongo_store.list_standings([MESSAGE.message_id])


def test_after_a_failure_the_indexes_are_looked_at_again(
    mongo_store: MongoMessageStore, mongo_collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AutoReconnect("connection closed")

    mongo_store.check()
    mongo_collections.messages.drop_index("triple")
    with monkeypatch.context() as broken:
        broken.setattr(Collection, "bulk_write", fail)
        with pytest.raises(StoreUnavailable, match="connection closed"):
            mongo_store.insert_absent([MESSAGE], NOW)
    with pytest.raises(StoreUnavailable, match="setup_store"):
        mongo_store.insert_absent([MESSAGE], NOW)


def crash_before_finishing(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> None:
    """Do some work on the store in a process that dies before its last statement."""

    def crash(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(MongoMessageStore, "_finish", crash)
        with pytest.raises(SystemExit):
            work()


def test_what_waits_for_one_device_is_settled_and_stripped_in_one_write(
    mongo_store: MongoMessageStore, mongo_collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo_store.insert_absent([replace(MESSAGE, pending_devices=("dev-b1",))], NOW)
    writes: list[int] = []
    bulk_write = Collection.bulk_write
    monkeypatch.setattr(
        Collection, "bulk_write", lambda *call, **options: writes.append(1) or bulk_write(*call, **options)
    )
    mongo_store.confirm(CONFIRMATIONS[:1])
    assert len(writes) == 1
    row = mongo_collections.messages.find_one({}) or {}
    assert (row["waiting"], row["undelivered"], row["pending_devices"]) == (False, False, [])
    assert row["settled_at"] == row["stripped_at"] == DatetimeMS(NOW + 100)


def test_a_crash_between_taking_off_and_stripping_is_made_good_by_whoever_reads_the_row_next(
    mongo_store: MongoMessageStore,
    mongo_collections: Collections,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    reads: dict[str, Callable[[], Any]] = {
        "the repeated batch": lambda: mongo_store.list_standings([MESSAGE.message_id]),
        "the sweep": lambda: mongo_store.list_waiting_page(("", ""), 10, NOW + 1),
    }
    for name, read in reads.items():
        with subtests.test(name):
            mongo_collections.messages.delete_many({})
            mongo_store.insert_absent([MESSAGE], NOW)
            crash_before_finishing(monkeypatch, lambda: mongo_store.confirm(CONFIRMATIONS))
            assert mongo_collections.messages.count_documents({"content": "hello", "waiting": True}) == 1
            read()
            assert mongo_collections.messages.count_documents({"content": {"$exists": True}}) == 0
            assert mongo_store.list_waiting_page(("", ""), 10, NOW + 1) == []


def test_a_crash_while_a_device_is_released_is_made_good_too(
    mongo_store: MongoMessageStore, mongo_collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo_store.insert_absent([MESSAGE], NOW)
    mongo_store.confirm(CONFIRMATIONS[:1])
    crash_before_finishing(monkeypatch, lambda: mongo_store.release_device("usr-b", "dev-b2", NOW + 200))
    assert mongo_store.list_waiting_page(("", ""), 10, NOW + 1) == []
    assert mongo_collections.messages.count_documents({"content": {"$exists": True}}) == 0


def test_what_is_kept_after_a_crash_is_kept_no_longer_than_its_time(
    mongo_store: MongoMessageStore, mongo_collections: Collections, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo_store.insert_absent([replace(MESSAGE, history_for=("usr-b",))], NOW)
    crash_before_finishing(monkeypatch, lambda: mongo_store.confirm(CONFIRMATIONS))
    mongo_store.list_standings([MESSAGE.message_id])
    way = mongo_store.trace(MESSAGE.message_id)
    assert way is not None
    assert way.expires_at_ms <= int(time.time() * 1000) + HISTORY_KEPT_MS


def _reads_latest(collection: Collection) -> bool:
    return collection.read_concern.level == "local"


def test_a_row_that_could_still_be_rolled_back_counts_for_nothing(
    mongo_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = Pointer(conversation_id="cnv-1", reader_id="b", peer_id="a", message_id="m", sequence=1, read_at_ms=NOW)
    mongo_store.insert_absent([MESSAGE], NOW)
    mongo_store.raise_pointers([pointer])
    # The primary has the row and refuses another one; the majority, which is read, has not got it yet.
    find = Collection.find
    monkeypatch.setattr(
        Collection, "find", lambda self, *some, **more: find(self, *some, **more) if _reads_latest(self) else []
    )
    with pytest.raises(StoreUnavailable, match="majority"):
        mongo_store.insert_absent([MESSAGE], NOW)
    for look in (mongo_store.list_standings, mongo_store.list_bodies):
        with pytest.raises(StoreUnavailable, match="majority"):
            look([MESSAGE.message_id])
        assert look(["msg-00000000000000ff"]) == {}
    with pytest.raises(StoreUnavailable, match="majority"):
        mongo_store.raise_pointers([pointer])


def test_a_url_that_names_no_database_means_chatsite(mongo: MongoServer) -> None:
    collections = mongo_connection.open_collections(mongo.url)
    assert collections.messages.full_name == "chatsite.messages"
    collections.database.client.close()


def test_a_forked_child_gets_a_client_of_its_own(mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = mongo_connection.MongoConnection(mongo_url)
    parents = connection.collections()
    assert connection.collections() is parents
    with monkeypatch.context() as forked:
        forked.setattr(mongo_connection.os, "getpid", lambda: -1)
        childs = connection.collections()
        assert childs.database.client is not parents.database.client
        connection.close()
    parents.database.client.close()


def test_a_server_that_stands_still_is_unavailable_soon_and_used_again_when_it_goes_on(
    mongo: MongoServer, mongo_url: str
) -> None:
    # The URL's own patience comes before the adapter's.
    with override_settings(MESSAGE_STORE_URL=f"{mongo_url}?socketTimeoutMS=500&serverSelectionTimeoutMS=500"):
        store = MongoMessageStore()
    store.set_up()
    store.check()
    mongo.pause()
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                store.insert_absent([MESSAGE], NOW)
    finally:
        mongo.resume()
    deadline = time.monotonic() + 60
    while True:
        try:
            # New, or there since the attempt that nobody answered: either way it is this record's own.
            found = store.insert_absent([MESSAGE], NOW)
            break
        except StoreUnavailable:
            assert time.monotonic() < deadline
    assert all(one.sequence == MESSAGE.sequence for one in found.values())
    assert store.list_standings([MESSAGE.message_id])
    store.close()


class Mongos:
    """Stands in for mongos at `shardCollection`, which the server of these tests does not know."""

    def __init__(self) -> None:
        self.sharded: dict[str, Mapping[str, Any]] = {}

    def command(self, database: Database[Any], name: str, collection: str, key: Mapping[str, Any]) -> None:
        assert (database.name, name) == ("admin", "shardCollection")
        if self.sharded.setdefault(collection, key) != key:
            raise OperationFailure("sharding already enabled with another key", code=23)


@pytest.fixture
def mongos(monkeypatch: pytest.MonkeyPatch) -> Mongos:
    stand_in = Mongos()
    monkeypatch.setattr(Database, "command", lambda *call, **options: stand_in.command(*call, **options))
    return stand_in


@pytest.fixture
def sharded(mongo_collections: Collections) -> Collections:
    return replace(mongo_collections, sharded=True)


def test_through_mongos_all_collections_are_sharded_and_again_without_harm(
    sharded: Collections, mongos: Mongos
) -> None:
    for _ in range(2):
        lines = list(mongo_schema.set_up(sharded))
    assert list(mongos.sharded.values()) == [{"receiver_id": 1, "group_id": 1}, *[{"_id": "hashed"}] * 3]
    assert [line for line in lines if "sharded by" in line] != []


def test_every_unique_index_begins_with_the_shard_key(sharded: Collections, mongos: Mongos) -> None:
    list(mongo_schema.set_up(sharded))
    unique = [keys for keys, options in options_of(sharded.messages).items() if options.get("unique")]
    assert unique == [("receiver_id", "group_id", "sender_id", "sender_device", "client_id")]


def test_a_collection_that_was_spread_otherwise_is_refused(sharded: Collections, mongos: Mongos) -> None:
    mongos.sharded[sharded.messages.full_name] = {"sender_id": 1}
    with pytest.raises(ValueError, match=r"another key .*reshardCollection"):
        list(mongo_schema.set_up(sharded))


def test_a_collection_that_is_to_be_sharded_later_has_to_give_up_its_first_unique_index(
    mongo_store: MongoMessageStore, sharded: Collections, mongos: Mongos
) -> None:
    with pytest.raises(ValueError, match=r"'triple' of messages .*dropIndex"):
        list(mongo_schema.set_up(sharded))
    assert not mongos.sharded
    sharded.messages.drop_index("triple")
    list(mongo_schema.set_up(sharded))
    assert sharded.messages.full_name in mongos.sharded


@pytest.fixture
def sharded_store(
    sharded: Collections, mongos: Mongos, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MongoMessageStore]:
    list(mongo_schema.set_up(sharded))
    monkeypatch.setattr(mongo_connection.MongoConnection, "collections", lambda _: sharded)
    with override_settings(MESSAGE_STORE_URL=mongo_url):
        yield MongoMessageStore()


def test_over_shards_a_retry_under_another_id_still_finds_the_one_that_stands(sharded_store: MongoMessageStore) -> None:
    sharded_store.insert_absent([MESSAGE], NOW)
    retry = replace(MESSAGE, message_id="msg-00000000000000ff", sequence=9)
    assert sharded_store.insert_absent([retry], NOW)[retry.message_id].message_id == MESSAGE.message_id


def test_over_shards_the_store_takes_a_client_id_once_for_each_receiver(sharded_store: MongoMessageStore) -> None:
    other = replace(MESSAGE, message_id="msg-00000000000000ff", receiver_id="usr-c", digest="d2")
    assert sharded_store.insert_absent([MESSAGE], NOW) == {}
    assert sharded_store.insert_absent([other], NOW) == {}, "the price that docs/decisions/mongodb-sharding.md names"


def test_over_shards_lookups_by_triple_name_the_shard(
    sharded_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[Mapping[str, Any]]] = []
    find = Collection.find

    def remember(collection: Collection[Any], condition: Any, *more: Any) -> Any:
        asked.extend(condition.get("$or", ()))
        return find(collection, condition, *more)

    sharded_store.insert_absent([MESSAGE], NOW)
    monkeypatch.setattr(Collection, "find", remember)
    sharded_store.insert_absent([replace(MESSAGE, message_id="msg-00000000000000ff")], NOW)
    assert [(one["receiver_id"], one["group_id"]) for one in asked] == [("usr-b", None)]
