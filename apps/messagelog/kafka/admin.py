"""One admin client a process, for set-up, status and trimming; threads may share it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, RetriableError

from apps.messagelog.base import LogUnavailable
from apps.messagelog.kafka.clients import open_client
from apps.messagelog.kafka_address import KafkaAddress

REQUEST_TIMEOUT_MS = 2_000
RETRY_SECONDS = 1.0
"""For a coordinator or leader that is just being found; a broker that does not answer takes longer than this."""

PAUSE_SECONDS = 0.1

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Shared:
    """A client and how many questions it has; one that is given up is closed by the last of them."""

    client: Any
    questions: int = 0
    given_up: bool = False


class Admin:
    """Asks the cluster. Its client is made when first needed, and made anew after any failure: it remembers
    coordinators, and would go on asking one that has moved.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._shared: _Shared | None = None

    def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """Call ``question`` with the KafkaAdminClient, for a moment again while the cluster asks for that.

        Raises LogUnavailable, with Kafka's own error as its cause.
        """
        give_up_at = time.monotonic() + RETRY_SECONDS
        while True:
            with self._lent() as shared:
                try:
                    return question(shared.client)
                except (KafkaError, OSError) as error:
                    shared.given_up = True
                    if not isinstance(error, RetriableError) or time.monotonic() > give_up_at:
                        raise LogUnavailable(f"Kafka: {type(error).__name__}: {error}") from error
            time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        """Close the client, once nobody asks it; the next question makes a new one."""
        with self._lock:
            idle = self._shared is not None and self._shared.questions == 0
            shared, self._shared = self._shared, None
            if shared is not None:
                shared.given_up = True
        if shared is not None and idle:
            shared.client.close()

    @contextmanager
    def _lent(self) -> Iterator[_Shared]:
        with self._lock:
            shared = self._shared
            if shared is None or shared.given_up:
                shared = self._shared = _Shared(self._make_client())
            shared.questions += 1
        try:
            yield shared
        finally:
            with self._lock:
                shared.questions -= 1
                last = shared.given_up and shared.questions == 0
                if last and self._shared is shared:
                    self._shared = None
            if last:
                shared.client.close()

    def _make_client(self) -> Any:
        try:
            return open_client(
                KafkaAdminClient,
                **self._address.client_options,
                client_id=f"{self._address.prefix}-admin",
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                reconnect_backoff_max_ms=REQUEST_TIMEOUT_MS,
            )
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"no Kafka broker answers at {self._address.brokers}") from error
