"""Each log on a server, and each store on an engine, of its own and empty."""

import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings

from apps.messagelog.base import KnownLog, MessageLog
from apps.messagelog.kafka import KafkaMessageLog
from apps.messagelog.valkey_streams import ValkeyStreamsMessageLog
from apps.messagestore.base import MessageStore
from apps.messagestore.mongo import MongoMessageStore
from apps.messagestore.mongo_connection import Collections, open_collections
from apps.messagestore.orm import OrmMessageStore
from tests.contracts.log_calls import ON_KAFKA, Readers, opened_readers
from tests.servers.kafka import KafkaCluster
from tests.servers.mongo import MongoServer


@pytest.fixture
def orm_store() -> OrmMessageStore:
    """Return the store on Django's test database; its tables are there and empty."""
    return OrmMessageStore()


@pytest.fixture
def mongo_url(mongo: MongoServer) -> str:
    """Return the URL of a database that nobody has used."""
    return f"{mongo.url}/test-{uuid4().hex}"


@pytest.fixture
def mongo_store(mongo_url: str) -> Iterator[MongoMessageStore]:
    """Give a store on a database of its own, set up."""
    with override_settings(MESSAGE_STORE_URL=mongo_url):
        store = MongoMessageStore()
    store.set_up()
    yield store
    store.close()


@pytest.fixture
def mongo_collections(mongo_url: str) -> Iterator[Collections]:
    """Give handles of the same database, to look behind the store."""
    collections = open_collections(mongo_url)
    yield collections
    collections.database.client.close()


@pytest.fixture
def read_raw_row(request: pytest.FixtureRequest, store: MessageStore) -> Callable[[str], Mapping[str, Any]]:
    """Give a function that reads a message's row as the engine holds it, by field."""
    if isinstance(store, OrmMessageStore):
        from apps.messagestore.models import Message

        return lambda message_id: Message.objects.values().get(pk=message_id)
    collections: Collections = request.getfixturevalue("mongo_collections")
    return lambda message_id: collections.messages.find_one({"_id": message_id}) or {}


@pytest.fixture
def valkey_streams_log(log_valkey: str) -> ValkeyStreamsMessageLog:
    """Return the log on an empty Valkey, not set up."""
    return ValkeyStreamsMessageLog()


@pytest.fixture
def kafka_settings(kafka: KafkaCluster) -> Iterator[dict[str, Any]]:
    """Set the log on a real Kafka, under a prefix that nobody has used; give those settings."""
    settings = {
        "EVENT_LOG_URL": f"{kafka.url}/test-{uuid4().hex}",
        "LOG_PARTITIONS": 12,
        "LOG_REPLICATION_FACTOR": 1,
    }
    with override_settings(**settings):
        yield settings


@pytest.fixture
def kafka_log(kafka_settings: dict[str, Any]) -> Iterator[KafkaMessageLog]:
    """Give the log on Kafka, not set up."""
    log = KafkaMessageLog()
    yield log
    log.close()
    gc.collect()  # the client leaves sockets to be closed with its objects: here, where that is no fault


@pytest.fixture(params=["valkey_streams", pytest.param("kafka", marks=ON_KAFKA)])
def log(request: pytest.FixtureRequest) -> MessageLog:
    """Return a log that is set up, empty, of generation 1."""
    made: MessageLog = request.getfixturevalue(f"{request.param}_log")
    made.set_up(KnownLog(generation=0, identity=""))
    return made


@pytest.fixture
def readers(log: MessageLog) -> Iterator[Readers]:
    """Give what opens readers of the log, and closes them."""
    yield from opened_readers(log)
