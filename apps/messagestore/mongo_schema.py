"""Indexes and sharding of the MongoDB adapter; ``manage.py setup_store`` makes them.

Every index costs each message a write, so those that only some messages need are partial, on a condition that a
query's own can be proven to fall under. How uniqueness survives sharding stands in docs/decisions/mongodb-sharding.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from apps.messagestore.mongo_connection import Collections, Document
from apps.messagestore.mongo_statements import NOT_EMPTY

SHARD_KEY = {"receiver_id": ASCENDING, "group_id": ASCENDING}
POINTER_SHARD_KEY = {"_id": "hashed"}
ALREADY_INITIALIZED = 23
DEFINITION = ("unique", "expireAfterSeconds", "partialFilterExpression")
WAITING = {"waiting": True}
KEPT_BETWEEN_TWO = {"history_for": NOT_EMPTY, "receiver_id": NOT_EMPTY}


class SchemaMismatch(ValueError):
    """Something of that name is there and is not what is needed; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index: its keys in order, and its options by MongoDB's names."""

    name: str
    keys: Mapping[str, int]
    options: Mapping[str, Any]

    def matches(self, found: Mapping[str, Any]) -> bool:
        """Whether ``found``, as MongoDB lists it, is this index."""
        return list(found["key"].items()) == list(self.keys.items()) and _options_of(found) == self.options

    def __str__(self) -> str:
        return f"{dict(self.keys)} {dict(self.options) or ''}".rstrip()


def _index(name: str, *keys: str, **options: Any) -> Index:
    """A key with a minus descends."""
    directions = {key.lstrip("-"): DESCENDING if key.startswith("-") else ASCENDING for key in keys}
    return Index(name=name, keys=directions, options=options)


TRIPLE = _index("triple", "sender_id", "sender_device", "client_id", unique=True)
SHARDED_TRIPLE = _index("triple_of_receiver", *SHARD_KEY, "sender_id", "sender_device", "client_id", unique=True)
"""Over shards an index can only be unique if it begins with the shard key. Same triple and content: same receiver."""

MESSAGE_INDEXES = (
    _index("undelivered", "receiver_id", "undelivered", "timestamp", partialFilterExpression=WAITING),
    _index("sweep", "receiver_id", "_id", partialFilterExpression=WAITING),
    _index("own_copies", "own_devices", partialFilterExpression={"own_devices": NOT_EMPTY}),
    _index("settled", "sender_id", "settled_at", partialFilterExpression={"settled_at": {"$exists": True}}),
    _index("pair", "sender_id", "receiver_id", "-timestamp", partialFilterExpression={"history_for": NOT_EMPTY}),
    _index("history", "conversation_id", "-sequence", partialFilterExpression={"history_for": NOT_EMPTY}),
    # A message to a group may be kept by hundreds, each with a key of their own: those are found by their group.
    _index("kept", "history_for", "conversation_id", "-sequence", partialFilterExpression=KEPT_BETWEEN_TWO),
    _index("group", "group_id", "sequence", partialFilterExpression={"group_id": NOT_EMPTY}),
    _index("group_waiting", "group_id", "sequence", partialFilterExpression={"group_id": NOT_EMPTY} | WAITING),
    _index("group_events", "group_id", "stored_at", partialFilterExpression={"group_id": NOT_EMPTY, "digest": ""}),
    # Best effort: the monitor comes once a minute, if at all. Reads filter by themselves, and a beat task deletes.
    _index("expiry", "expires_at", expireAfterSeconds=0),
)
POINTER_INDEXES = (_index("reader", "reader_id", "read_at"), _index("peer", "peer_id", "read_at"))
GROUP_POINTER_INDEXES = (_index("group_user", "group_id", "user_id"), _index("user_device", "user_id", "device_id"))
GROUP_PROGRESS_INDEXES = (_index("behind", "behind", partialFilterExpression={"behind": True}),)


def unique_index(collections: Collections) -> Index:
    """The index that makes an insert of a second row with the same triple fail."""
    return SHARDED_TRIPLE if collections.sharded else TRIPLE


def is_set_up(collections: Collections) -> bool:
    """Whether duplicates would be refused. Raises PyMongoError."""
    wanted = unique_index(collections)
    return any(wanted.matches(found) for found in collections.messages.list_indexes())


def set_up(collections: Collections) -> Iterator[str]:
    """Make what is missing; yields a line for each thing looked at. Raises SchemaMismatch and PyMongoError."""
    yield from _make_indexes(collections.messages, (unique_index(collections), *MESSAGE_INDEXES))
    yield from _make_indexes(collections.read_pointers, POINTER_INDEXES)
    yield from _make_indexes(collections.group_pointers, GROUP_POINTER_INDEXES)
    yield from _make_indexes(collections.group_progress, GROUP_PROGRESS_INDEXES)
    if collections.sharded:
        _refuse_index_of_one_replica_set(collections.messages)
        yield _shard(collections.messages, SHARD_KEY)
        for pointers in (collections.read_pointers, collections.group_pointers, collections.group_progress):
            yield _shard(pointers, POINTER_SHARD_KEY)


def _make_indexes(collection: Collection[Document], wanted: Sequence[Index]) -> Iterator[str]:
    # MongoDB would refuse some mismatches by itself, but not all of them, and none in words that help.
    existing = list(collection.list_indexes())
    for index in wanted:
        same_name = [found for found in existing if found["name"] == index.name]
        if same_name and not index.matches(same_name[0]):
            raise SchemaMismatch(
                f"the index {index.name!r} of {collection.name} is {_describe(same_name[0])}, and not {index}: "
                f'drop it, db.{collection.name}.dropIndex("{index.name}"), and run this again'
            )
        if same_name:
            yield f"index {index.name} of {collection.name}: is there"
            continue
        collection.create_index(list(index.keys.items()), name=index.name, **index.options)
        yield f"index {index.name} of {collection.name}: made"


def _describe(found: Mapping[str, Any]) -> str:
    return f"{dict(found['key'])} {_options_of(found) or ''}".rstrip()


def _options_of(found: Mapping[str, Any]) -> dict[str, Any]:
    # "unique: false" is as good as absent, a TTL of 0 seconds is not.
    return {name: found[name] for name in DEFINITION if name in found and found[name] is not False}


def _refuse_index_of_one_replica_set(collection: Collection[Document]) -> None:
    """A collection that was set up before it was to be sharded has its old unique index, which cannot be spread."""
    if any(found["name"] == TRIPLE.name for found in collection.list_indexes()):
        raise SchemaMismatch(
            f"the index {TRIPLE.name!r} of {collection.name} cannot be spread over shards, {SHARDED_TRIPLE.name!r} "
            f'takes its place: drop it, db.{collection.name}.dropIndex("{TRIPLE.name}"), and run this again'
        )


def _shard(collection: Collection[Document], key: Mapping[str, Any]) -> str:
    """Shard a collection; MongoDB takes a repetition with the same key for done."""
    try:
        collection.database.client.admin.command("shardCollection", collection.full_name, key=dict(key))
    except OperationFailure as error:
        if error.code == ALREADY_INITIALIZED:
            raise SchemaMismatch(
                f"{collection.name} is sharded by another key than {dict(key)}: reshard it, "
                f'sh.reshardCollection("{collection.full_name}", {dict(key)})'
            ) from None
        raise
    return f"{collection.name}: sharded by {dict(key)}"
