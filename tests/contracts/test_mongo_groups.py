"""What only the MongoDB adapter has of groups: its indexes, its shards, its crashes between two statements."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from django.test import override_settings
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.database import Database

from apps.messagestore import mongo_connection, mongo_groups, mongo_schema
from apps.messagestore.base import ClientKey, NewMessage, StoreUnavailable
from apps.messagestore.groups import GroupPointer, GroupProgress, Settlement
from apps.messagestore.history import Window
from apps.messagestore.mongo import MongoMessageStore
from apps.messagestore.mongo_connection import Collections

pytestmark = pytest.mark.production

GROUP, OTHER = "grp-000000000001", "grp-000000000002"
NOW = int(time.time() * 1000)
MESSAGE = NewMessage(
    message_id="msg-0000000000000001",
    sender_id="usr-a",
    sender_device="dev-a1",
    client_id="i1",
    digest="d1",
    receiver_id="",
    group_id=GROUP,
    conversation_id=GROUP,
    sequence=1,
    content="hello",
    envelope=None,
    media=None,
    reply_to=None,
    timestamp_ms=NOW,
    sent_at_ms=NOW,
    pending_devices=(),
    own_devices=(),
    history_for=(),
    refusal="",
)
FOR_ALL = Settlement(message_id=MESSAGE.message_id, delivered_count=2, delivered_to_all=True, waited_for=False)
POINTER = GroupPointer(group_id=GROUP, user_id="usr-b", device_id="dev-b1", upto=1, beyond=(3, 5))


def keys_of(collection: Collection[dict[str, Any]]) -> dict[tuple[str, ...], Any]:
    """Return the condition of each index, by its keys."""
    return {tuple(index["key"]): index.get("partialFilterExpression") for index in collection.list_indexes()}


def test_groups_have_indexes_of_their_own(mongo_store: MongoMessageStore, mongo_collections: Collections) -> None:
    of_group = {"group_id": {"$gt": ""}}
    waiting = [index for index in mongo_collections.messages.list_indexes() if index["name"] == "group_waiting"]
    assert waiting[0]["partialFilterExpression"] == of_group | {"waiting": True}
    found = keys_of(mongo_collections.messages)
    assert found["group_id", "stored_at"] == of_group | {"digest": ""}
    assert {("group_id", "user_id"), ("user_id", "device_id")} <= set(keys_of(mongo_collections.group_pointers))
    assert keys_of(mongo_collections.group_progress)["behind",] == {"behind": True}


def test_what_groups_keep_has_no_key_for_each_keeper(
    mongo_store: MongoMessageStore, mongo_collections: Collections
) -> None:
    kept = keys_of(mongo_collections.messages)["history_for", "conversation_id", "sequence"]
    assert kept == {"history_for": {"$gt": ""}, "receiver_id": {"$gt": ""}}


def test_what_is_held_of_groups_is_as_durable_as_messages(mongo_collections: Collections) -> None:
    for collection in (mongo_collections.group_pointers, mongo_collections.group_progress):
        assert collection.write_concern.document == {"w": "majority", "j": True, "wtimeout": 5_000}
        assert collection.read_concern.level == "majority"
        assert collection.read_preference == ReadPreference.PRIMARY


def test_a_pointer_and_a_progress_have_keys_that_are_unique_over_shards(
    mongo_store: MongoMessageStore, mongo_collections: Collections
) -> None:
    mongo_store.groups.add_pointers([POINTER, replace(POINTER, device_id="", beyond=())])
    mongo_store.groups.raise_stored({GROUP: 1})
    ids = {row["_id"] for row in mongo_collections.group_pointers.find({})}
    assert ids == {f"{GROUP} usr-b dev-b1", f"{GROUP} usr-b "}
    assert [row["_id"] for row in mongo_collections.group_progress.find({})] == [GROUP]


def test_rows_between_two_people_hold_nothing_of_groups(
    mongo_store: MongoMessageStore, mongo_collections: Collections
) -> None:
    direct = replace(MESSAGE, group_id="", receiver_id="usr-b", pending_devices=("dev-b1",), conversation_id="cnv-1")
    mongo_store.insert_absent([direct], NOW)
    row = mongo_collections.messages.find_one({}) or {}
    assert not {"polled", "members", "delivered_count"} & set(row)
    assert (row["receiver_id"], row["group_id"]) == ("usr-b", None)


# --- Crashes ---------------------------------------------------------------------------------------------------------


def crash_at(monkeypatch: pytest.MonkeyPatch, number: int, work: Callable[[], Any]) -> None:
    """Do some work on the store in a process that dies before its write of this number."""
    done: list[int] = []
    write_unordered = mongo_groups.write_unordered

    def write(*call: Any) -> Any:
        done.append(1)
        if len(done) == number:
            raise SystemExit
        return write_unordered(*call)

    with monkeypatch.context() as broken:
        broken.setattr(mongo_groups, "write_unordered", write)
        with pytest.raises(SystemExit):
            work()


@pytest.mark.parametrize("keepers", [(), ("usr-b",)])
def test_a_crash_between_counting_and_stripping_leaves_what_the_next_count_finds(
    mongo_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch, keepers: tuple[str, ...]
) -> None:
    mongo_store.insert_absent([replace(MESSAGE, history_for=keepers)], NOW)
    crash_at(monkeypatch, 2, lambda: mongo_store.groups.settle([FOR_ALL], NOW + 100))
    (left,) = mongo_store.groups.list_waiting({GROUP: 0})
    assert (left.delivered_count, left.undelivered) == (2, False)
    with monkeypatch.context() as watched:
        watched.setattr(MongoMessageStore, "_finish", lambda *_: pytest.fail("it is no row between two people"))
        mongo_store.list_standings([MESSAGE.message_id])
    assert mongo_store.list_bodies([MESSAGE.message_id])
    mongo_store.groups.settle([FOR_ALL], NOW + 200)
    assert mongo_store.groups.list_waiting({GROUP: 0}) == []
    way = mongo_store.trace(MESSAGE.message_id)
    assert way is not None
    assert way.standing.settled_at_ms == NOW + 100
    assert way.stripped_at_ms == (None if keepers else NOW + 200)


def test_who_keeps_it_may_forget_it_while_it_is_settled(
    mongo_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo_store.insert_absent([replace(MESSAGE, history_for=("usr-b",))], NOW)
    crash_at(monkeypatch, 2, lambda: mongo_store.groups.settle([FOR_ALL], NOW + 100))
    mongo_store.history.forget(Window(keeper_id="usr-b", now_ms=NOW + 150, limit=9, group_ids=(GROUP,)))
    assert mongo_store.list_bodies([MESSAGE.message_id]), "it waits, for all that the row tells"
    mongo_store.groups.settle([FOR_ALL], NOW + 200)
    assert mongo_store.list_bodies([MESSAGE.message_id]) == {}


def test_a_progress_that_somebody_else_makes_at_the_same_time_is_raised_all_the_same(
    mongo_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_raises = mongo_groups.statements.stored_raises

    def make_first(upto: Mapping[str, int]) -> Any:
        """The other one's lower raise comes between this one's look and its insertion."""
        found = stored_raises(upto)
        with monkeypatch.context() as other:
            other.setattr(mongo_groups.statements, "stored_raises", stored_raises)
            mongo_store.groups.raise_stored({GROUP: 3})
        # What the server does with an update that found nothing to raise, and then meets the document.
        for one in found:
            one._filter = one._filter | {"stored_upto": -1}
        return found

    with monkeypatch.context() as racing:
        racing.setattr(mongo_groups.statements, "stored_raises", make_first)
        mongo_store.groups.raise_stored({GROUP: 7})
    progress = GroupProgress(group_id=GROUP, stored_upto=7, fanned_upto=0)
    assert mongo_store.groups.list_progress([GROUP]) == {GROUP: progress}
    assert mongo_store.groups.list_behind(9) == [GROUP]


def test_what_is_stored_while_a_fan_out_ends_is_still_to_do(
    mongo_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo_store.groups.raise_stored({GROUP: 5})
    update_one = Collection.update_one

    def store_more_first(collection: Collection[Any], *call: Any, **options: Any) -> Any:
        monkeypatch.setattr(Collection, "update_one", update_one)
        mongo_store.groups.raise_stored({GROUP: 8})
        return update_one(collection, *call, **options)

    monkeypatch.setattr(Collection, "update_one", store_more_first)
    mongo_store.groups.raise_fanned(GROUP, 5)
    progress = GroupProgress(group_id=GROUP, stored_upto=8, fanned_upto=5)
    assert mongo_store.groups.list_progress([GROUP]) == {GROUP: progress}
    assert mongo_store.groups.list_behind(9) == [GROUP]


# --- The majority ----------------------------------------------------------------------------------------------------


def test_rows_that_the_majority_is_not_known_to_have_are_not_taken_for_absent(
    mongo_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a fan-out would go on past them, and a pointer be raised over them."""
    event = replace(MESSAGE, message_id="evt-0000000000000003", client_id="evt-3", sequence=3, digest="", tracked=False)
    second = replace(MESSAGE, message_id="msg-0000000000000002", client_id="i2", sequence=2)
    mongo_store.insert_absent([MESSAGE, second, event], NOW)
    find = Collection.find

    def find_what_the_majority_has(collection: Collection[Any], condition: Any, *more: Any, **options: Any) -> Any:
        hidden = collection.name == "messages" and collection.read_concern.level == "majority"
        both = {"$and": [condition, {"sequence": {"$lt": 2}}]}
        return find(collection, both if hidden else condition, *more, **options)

    monkeypatch.setattr(Collection, "find", find_what_the_majority_has)
    with pytest.raises(StoreUnavailable, match="majority"):
        mongo_store.groups.list_rows(GROUP, 0, 3, 9)
    with pytest.raises(StoreUnavailable, match="majority"):
        mongo_store.groups.list_events_by_id([event.message_id])
    assert [row.sequence for row in mongo_store.groups.list_rows(GROUP, 0, 1, 9)] == [1]
    assert [row.sequence for row in mongo_store.groups.list_rows(GROUP, 0, 3, 1)] == [1], "no more were asked for"
    assert mongo_store.groups.list_rows(GROUP, 3, 9, 9) == []


# --- Shards ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, Mapping[str, Any]]:
    """Stand in for mongos at `shardCollection`; give the key of each collection."""
    found: dict[str, Mapping[str, Any]] = {}

    def shard(_: Database[Any], __: str, collection: str, *, key: Mapping[str, Any]) -> None:
        found[collection.rpartition(".")[2]] = key

    monkeypatch.setattr(Database, "command", shard)
    return found


@pytest.fixture
def sharded_store(
    mongo_collections: Collections,
    keys: dict[str, Mapping[str, Any]],
    mongo_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MongoMessageStore]:
    sharded = replace(mongo_collections, sharded=True)
    list(mongo_schema.set_up(sharded))
    monkeypatch.setattr(mongo_connection.MongoConnection, "collections", lambda _: sharded)
    with override_settings(MESSAGE_STORE_URL=mongo_url):
        yield MongoMessageStore()


def test_what_is_held_of_groups_is_spread_by_its_id(
    sharded_store: MongoMessageStore, keys: dict[str, Mapping[str, Any]]
) -> None:
    assert keys["group_pointers"] == keys["group_progress"] == {"_id": "hashed"}


def test_over_shards_a_retry_in_a_group_finds_the_one_that_stands(sharded_store: MongoMessageStore) -> None:
    sharded_store.insert_absent([MESSAGE], NOW)
    retry = replace(MESSAGE, message_id="msg-00000000000000ff", sequence=9)
    assert sharded_store.insert_absent([retry], NOW)[retry.message_id].message_id == MESSAGE.message_id
    key = ClientKey(sender_id="usr-a", sender_device="dev-a1", client_id="i1", receiver_id="")
    assert sharded_store.list_standings_by_client([key])[key].message_id == MESSAGE.message_id


def test_over_shards_every_look_for_a_groups_messages_names_the_shard(
    sharded_store: MongoMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, Any]] = []
    find = Collection.find

    def remember(collection: Collection[Any], condition: Any, *more: Any, **options: Any) -> Any:
        if collection.name == "messages":
            asked.extend([condition] if "receiver_id" in condition else condition.get("$or", [condition]))
        return find(collection, condition, *more, **options)

    sharded_store.insert_absent([MESSAGE], NOW)
    monkeypatch.setattr(Collection, "find", remember)
    groups, window = sharded_store.groups, Window(keeper_id="usr-b", now_ms=NOW, limit=9, group_ids=(GROUP, OTHER))
    groups.list_rows(GROUP, 0, 9, 9)
    groups.list_waiting({GROUP: 0})
    groups.list_waiting({GROUP: 0, OTHER: 0})
    groups.list_waiting_groups("", 1)
    groups.list_events([GROUP, OTHER], 0)
    groups.list_polled(GROUP, after=0, since_ms=0, limit=9)
    groups.list_last_polled(GROUP, 9)
    sharded_store.history.list_messages(GROUP, window)
    sharded_store.history.forget(window)
    sharded_store.insert_absent([replace(MESSAGE, message_id="msg-00000000000000ff")], NOW)
    named = [(one["receiver_id"], one["group_id"]) for one in asked if one.get("receiver_id", 0) is None]
    both = {"$in": [GROUP, OTHER]}
    assert [group for _, group in named] == [
        *(GROUP, GROUP, GROUP),  # rows, and once more for what the majority might not have
        *(both, {"$gt": ""}, both, GROUP, GROUP),
        *(GROUP, both, GROUP),
    ]
