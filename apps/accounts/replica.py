"""Reads of profiles and of the search, from a read replica where the site has one.

Nothing else is read there: a replica is behind, by milliseconds or by minutes, and what decides something must not be.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

T = TypeVar("T")

logger = logging.getLogger(__name__)

PRIMARY = "default"
REPLICA = "replica"
"""The alias of DATABASE_REPLICA_URL in ``settings.DATABASES``; absent without that variable."""

REST_SECONDS = 10.0
"""How long a replica that failed is left alone: else every request would wait for it to fail again."""


class ReplicaReader:
    """Runs reads on the replica, or on the primary where there is none or it does not answer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left_alone_until = float("-inf")

    def read(self, query: Callable[[str], T]) -> T:
        """What ``query`` returns for the alias that it is given. It must be complete: no lazy queryset.

        Raises what ``query`` raises on the primary.
        """
        if REPLICA not in settings.DATABASES or self._clock() < self._left_alone_until:
            return query(PRIMARY)
        try:
            return query(REPLICA)
        except (OperationalError, InterfaceError) as error:
            self._left_alone_until = self._clock() + REST_SECONDS
            connections[REPLICA].close()
            logger.warning(
                "the read replica does not answer, profiles are read from the primary for %g s: %s",
                REST_SECONDS,
                str(error).strip().partition("\n")[0],
            )
            return query(PRIMARY)


_reader = ReplicaReader()


def read_from_replica(query: Callable[[str], T]) -> T:
    """See `ReplicaReader.read`; all of this process's threads share what is known of the replica."""
    return _reader.read(query)
