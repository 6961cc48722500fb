"""Makes kafka-python's clients, and leaves nothing of one that could not be made."""

from collections.abc import Callable
from typing import Any


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
        network.close()
        network._net.stop()
