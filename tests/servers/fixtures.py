"""The real servers as fixtures: each is started when a test of the session first asks for it."""

from collections.abc import Iterator

import pytest

from tests.servers.kafka import KafkaCluster, running_kafka
from tests.servers.mongo import MongoServer, running_mongo
from tests.servers.postgresql import PostgresqlServer, running_postgresql
from tests.servers.valkey import ValkeyCluster, running_valkey_cluster


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster]:
    """One Kafka broker that nobody breaks."""
    with running_kafka() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kafka_cluster() -> Iterator[KafkaCluster]:
    """Three Kafka brokers; a test that kills or pauses one has to bring it back."""
    with running_kafka(brokers=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def mongo() -> Iterator[MongoServer]:
    """A MongoDB-protocol server; a test that pauses it has to resume it."""
    with running_mongo() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server; each test makes databases of its own."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """A Valkey cluster of three; a test flushes it first if it needs it empty."""
    with running_valkey_cluster() as cluster:
        yield cluster
