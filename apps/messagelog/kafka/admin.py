"""One admin client a process, for set-up, status and trimming; threads may share it."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, RetriableError

from apps.messagelog.base import LogUnavailable
from apps.messagelog.kafka_address import KafkaAddress

REQUEST_TIMEOUT_MS = 2_000
RETRY_SECONDS = 1.0
"""For a coordinator or leader that is just being found; a broker that does not answer takes longer than this."""

PAUSE_SECONDS = 0.1

Answer = TypeVar("Answer")


class Admin:
    """Asks the cluster. Its client is made when first needed, and made anew after any failure: it remembers
    coordinators, and would go on asking one that has moved.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._client: Any = None

    def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """Call ``question`` with the KafkaAdminClient, for a moment again while the cluster asks for that.

        Raises LogUnavailable, with Kafka's own error as its cause.
        """
        give_up_at = time.monotonic() + RETRY_SECONDS
        while True:
            client = self._get_client()
            try:
                return question(client)
            except (KafkaError, OSError, RuntimeError) as error:  # RuntimeError: another thread has dropped the client
                self._drop(client)
                if not isinstance(error, RetriableError) or time.monotonic() > give_up_at:
                    raise LogUnavailable(f"Kafka: {type(error).__name__}: {error}") from error
                time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        """Close the client; the next question makes a new one."""
        if self._client is not None:
            self._drop(self._client)

    def _get_client(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    self._client = KafkaAdminClient(
                        **self._address.client_options,
                        client_id=f"{self._address.prefix}-admin",
                        request_timeout_ms=REQUEST_TIMEOUT_MS,
                        bootstrap_timeout_ms=REQUEST_TIMEOUT_MS,
                        reconnect_backoff_max_ms=REQUEST_TIMEOUT_MS,
                    )
                except (KafkaError, OSError) as error:
                    raise LogUnavailable(f"no Kafka broker answers at {self._address.brokers}") from error
            return self._client

    def _drop(self, client: Any) -> None:
        with self._lock:
            if self._client is client:
                self._client = None
        client.close()
