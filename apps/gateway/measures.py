"""What the metrics are told of sockets."""

import time

from apps.gateway.close_codes import CloseReason
from apps.observability.metrics import ARRIVAL_SECONDS, CLOSES
from apps.protocol import server_frames

_TIMESTAMP = '"timestamp":'
"""Found first where the server wrote it: in the content before it quotes are escaped, an envelope comes after it."""

_TIMESTAMP_DIGITS = 13


def measure_arrival(frame: str) -> None:
    """A pushed frame is on the socket; of a message the server's own timestamp says since when it was on its way."""
    if frame.startswith(server_frames.INCOMING_PREFIX):
        start = frame.index(_TIMESTAMP) + len(_TIMESTAMP)
        accepted_ms = int(frame[start : start + _TIMESTAMP_DIGITS])
        # Clocks of two hosts may differ by more than a message takes.
        ARRIVAL_SECONDS.observe(max(0.0, time.time() - accepted_ms / 1000))


def count_close(reason: CloseReason) -> None:
    """The server closes a connection, or refuses it."""
    CLOSES.labels(str(reason.code), reason.name.lower()).inc()
