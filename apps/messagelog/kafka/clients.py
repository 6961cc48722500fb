"""Makes kafka-python's clients, and leaves nothing of one that could not be made."""

import threading
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer

SENDER_SECONDS = 10.0
"""How long the thread of a producer may take to notice that it is to end."""


def open_client(kind: Callable[..., Any], **options: Any) -> Any:
    """Make a KafkaConsumer or KafkaAdminClient. Raises KafkaError or OSError.

    Where no broker answers, the constructor of kafka-python 3.0 raises, and the thread that it has started goes on
    asking for ever: one thread more at every attempt while the brokers are away. So the object is made first, to be at
    hand when its constructor fails.
    """
    client: Any = object.__new__(kind)  # type: ignore[arg-type]  # mypy: kind may be a function
    try:
        client.__init__(**options)
    except BaseException:
        _end(client)
        raise
    return client


def _end(client: Any) -> None:
    """End what a constructor has started; it may not have come so far as to start anything."""
    network = getattr(client, "_client", None)
    if network is not None:
        _stop(network)


def _stop(network: Any) -> None:
    network.close()
    network._net.stop()


def open_producer(**options: Any) -> Any:
    """Make a KafkaProducer. Raises KafkaError or OSError, and leaves no thread behind then, as ``open_client`` does."""
    network: list[Any] = []
    make_network = KafkaProducer.DEFAULT_CONFIG["kafka_client"]

    def make_and_remember(**settings: Any) -> Any:
        network.append(make_network(**settings))
        return network[0]

    try:
        return KafkaProducer(**options, kafka_client=make_and_remember)
    except BaseException:
        for made in network:
            _stop(made)
        raise


def drop_producer(producer: Any) -> None:
    """End a producer without waiting: what it has not sent yet fails, what is on its way may still be written.

    Its own ``close`` waits for all of that, and where a broker has gone for good it raises and ends nothing.
    """
    threading.Thread(target=_drop, args=[producer], name="kafka producer closing", daemon=True).start()


def _drop(producer: Any) -> None:
    producer._sender.force_close()
    producer._sender.join(SENDER_SECONDS)
    producer.close(0)
