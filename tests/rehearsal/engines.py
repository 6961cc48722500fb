"""The servers that the product stands on, and the environment that points its processes to them."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.browser.network import Network
from tests.servers.kafka import KafkaCluster, running_kafka
from tests.servers.mongo import MongoServer, running_mongo
from tests.servers.postgresql import PostgresqlServer, running_postgresql
from tests.servers.process import FurtherVariables, no_variables
from tests.servers.valkey import ValkeyServer, running_valkey

BROKERS = 3
PARTITIONS = 12  # on so small a machine more of them only make smaller batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Every running server of the production profile; the Message DB is reached by a line that can be cut."""

    kafka: KafkaCluster
    mongo: MongoServer
    store_line: Network
    postgresql: PostgresqlServer
    valkey: ValkeyServer
    database_url: str

    def variables(self) -> Mapping[str, str | int]:
        """The environment variables that point to them."""
        return {
            "EVENT_LOG_URL": self.kafka.url,
            "LOG_PARTITIONS": PARTITIONS,
            # Fewer than three copies have to be asked for.
            "LOG_REPLICATION_FACTOR": min(3, len(self.kafka.brokers)),
            "LOG_MIN_INSYNC_REPLICAS": min(2, len(self.kafka.brokers)),
            "MESSAGE_STORE_URL": f"mongodb://127.0.0.1:{self.store_line.port}/chatsite",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.valkey.url,
            "SECRET_KEY": secrets.token_urlsafe(48),
        }


@contextlib.contextmanager
def running_engines(brokers: int = BROKERS, variables_of: FurtherVariables = no_variables) -> Iterator[Engines]:
    """Start so many Kafka brokers and one each of the rest; `variables_of` are further ones of their environments."""
    with contextlib.ExitStack() as stack:
        kafka = stack.enter_context(running_kafka(brokers, variables_of))
        postgresql = stack.enter_context(running_postgresql(variables_of))
        mongo = stack.enter_context(running_mongo())
        store_line = Network(mongo.port)
        stack.callback(store_line.close)
        yield Engines(
            kafka=kafka,
            mongo=mongo,
            store_line=store_line,
            postgresql=postgresql,
            valkey=stack.enter_context(running_valkey(variables_of=variables_of)),
            database_url=postgresql.create_database("chatsite"),
        )
