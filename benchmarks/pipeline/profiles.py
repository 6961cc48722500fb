"""Which servers stand behind the site that is measured: nothing but embedded ones, or real ones of the production
profile, started beside it on the same machine.
"""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from tests.servers.kafka import running_kafka
from tests.servers.mongo import running_mongo
from tests.servers.postgresql import running_postgresql
from tests.servers.valkey import running_valkey

PARTITIONS = 12
"""On a small machine few partitions make larger batches."""


class Profile(StrEnum):
    """A set of servers, by what is not embedded."""

    EMBEDDED = "embedded"
    KAFKA = "kafka"
    POSTGRESQL = "postgresql"
    PRODUCTION = "production"


@contextlib.contextmanager
def running_profile(profile: Profile) -> Iterator[dict[str, Any]]:
    """Start the profile's servers; yields the environment variables that point the site to them."""
    with contextlib.ExitStack() as stack:
        variables: dict[str, Any] = {}
        if profile in (Profile.KAFKA, Profile.PRODUCTION):
            kafka = stack.enter_context(running_kafka(brokers=1))
            variables |= {"EVENT_LOG_URL": f"kafka://{kafka.bootstrap}", "LOG_PARTITIONS": PARTITIONS}
            variables |= {"LOG_REPLICATION_FACTOR": 1, "LOG_MIN_INSYNC_REPLICAS": 1}
        if profile in (Profile.POSTGRESQL, Profile.PRODUCTION):
            postgresql = stack.enter_context(running_postgresql())
            variables |= {"DATABASE_URL": postgresql.create_database("chatsite"), "SECRET_KEY": "of-a-benchmark-only"}
        if profile is Profile.PRODUCTION:
            variables["MESSAGE_STORE_URL"] = stack.enter_context(running_mongo()).url
            variables["REDIS_URL"] = stack.enter_context(running_valkey()).url
        yield variables
