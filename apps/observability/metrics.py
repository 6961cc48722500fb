"""Every metric of the site, by stage. docs/operations.md explains each; a test holds the two together.

Labels have few values, known beforehand, never ids of users, devices or messages. Hot paths count once a batch.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from apps.observability.batch_histogram import BatchHistogram
from apps.observability.process_slots import share_values_between_processes
from apps.protocol.errors import ErrorCode

disable_created_metrics()  # type: ignore[no-untyped-call]  # its library has no types there
share_values_between_processes()  # before the first metric: the library decides once where values are kept

registry = CollectorRegistry()
"""The metrics of this process, and of no library."""

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZE_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500)

Stage = Literal["accepted", "appended", "stored", "queued", "pushed", "confirmed", "withdrawn"]
"""Where a message has come to: id given; durable on the log; in the Message DB; in a device's inbox; sent to the
gateway of a device; confirmed by a device; taken back by a late error.
"""

DEPENDENCIES = ("database", "message_store", "cache", "event_log")
"""As ``/readyz`` names them."""


def _counter(name: str, documentation: str) -> Counter:
    return Counter(name, documentation, registry=registry)


def _counters(name: str, documentation: str, label: str, values: tuple[str, ...]) -> Mapping[str, Counter]:
    """One counter a value of a label. All exist from the start, so that the first event is seen as a rise from 0."""
    family = Counter(name, documentation, [label], registry=registry)
    return {value: family.labels(value) for value in values}


def _gauge(name: str, documentation: str) -> Gauge:
    """A gauge summed over the processes that are alive."""
    return Gauge(name, documentation, registry=registry, multiprocess_mode="livesum")


def _latency(name: str, documentation: str) -> BatchHistogram:
    return BatchHistogram(name, documentation, registry=registry, buckets=LATENCY_BUCKETS)


def _size(name: str, documentation: str) -> Histogram:
    return Histogram(name, documentation, registry=registry, buckets=SIZE_BUCKETS)


# --- Messages, all stages --------------------------------------------------------------------------------------------
MESSAGES = _counters("chatsite_messages", "Messages that came to a stage.", "stage", get_args(Stage))

# --- Connections -----------------------------------------------------------------------------------------------------
CONNECTIONS = _gauge("chatsite_connections", "Connections that are open.")
CONNECTIONS_OPENED = _counter("chatsite_connections_opened", "Connections that were authenticated and registered.")
CLOSES = Counter(
    "chatsite_closes", "Connections closed or refused by the server.", ["code", "reason"], registry=registry
)

# --- Ingest ----------------------------------------------------------------------------------------------------------
ACK_SECONDS = _latency("chatsite_ack_seconds", "From a send_message frame read to its message_received (one tick).")
APPEND_SECONDS = _latency("chatsite_append_seconds", "Until the log said that a batch is durable.")
INGEST_BATCH = _size("chatsite_ingest_batch_records", "Records appended to the log at once.")
INGEST_QUEUE = _gauge("chatsite_ingest_queue_messages", "Messages that wait for the next batch.")
INGEST_HELD = _gauge("chatsite_ingest_held_messages", "Messages that wait until an account has been looked up.")
ERRORS = _counters("chatsite_errors", "Error frames sent, by code.", "code", tuple(ErrorCode))

# --- Relay -----------------------------------------------------------------------------------------------------------
RELAY_BATCH = _size("chatsite_relay_batch_records", "Records of the log that the relay took at once.")
STORE_SECONDS = _latency("chatsite_store_seconds", "Until a batch was in the Message DB.")
DELIVER_SECONDS = _latency("chatsite_deliver_seconds", "Until a batch was in the inboxes and pushed.")
DEAD_LETTERS = _counter("chatsite_dead_letters", "Records set apart because they cannot be processed.")
LOG_GAPS = _counter("chatsite_log_gaps", "Times that records of the log were gone before they were read.")
PAUSES = _counters("chatsite_dependency_pauses", "Times a batch had to wait for a part.", "dependency", DEPENDENCIES)

# --- Delivery --------------------------------------------------------------------------------------------------------
ARRIVAL_SECONDS = _latency(
    "chatsite_arrival_seconds", "From the server's timestamp of a message to its push on the socket (a sample)."
)
BUS_DROPPED = _counters(
    "chatsite_bus_dropped_events", "Events for gateways that none took; drains repair it.", "reason", ("gone", "failed")
)
DRAINS_ASKED = _counters("chatsite_drains_asked", "Pages of inboxes asked for by connections.", "kind", ("page", "gap"))
DRAINED_FRAMES = _counter("chatsite_drained_frames", "Frames sent in pages of drains.")
INBOX_REBUILDS = _counter("chatsite_inbox_rebuilds", "Inboxes written anew from the Message DB.")
INBOX_SIZE = _size("chatsite_inbox_messages", "Messages that wait in an inbox (a sample of those with any).")
SWEEP_PUT_BACK = _counter("chatsite_sweep_put_back", "Messages that a sweep found in no inbox and put back.")

# --- Celery ----------------------------------------------------------------------------------------------------------
TASK_SECONDS = Histogram(
    "chatsite_task_seconds", "How long a Celery task ran.", ["task"], registry=registry, buckets=LATENCY_BUCKETS
)
TASK_FAILURES = Counter("chatsite_task_failures", "Celery tasks that raised.", ["task"], registry=registry)
