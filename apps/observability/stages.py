"""A message's way: counted by stage, and told a line a hop to who listens to the logger ``chatsite.trace``."""

import logging
from collections.abc import Iterable

from apps.observability.metrics import MESSAGES, Stage

trace_logger = logging.getLogger("chatsite.trace")
"""Says one line a message and hop at DEBUG: ids only. Off unless LOG_LEVEL is DEBUG, and free while it is off."""


def note_stage(stage: Stage, count: int, message_ids: Iterable[str]) -> None:
    """Count ``count`` messages (or, of stages that devices have a part in, devices) that came to a stage.

    ``message_ids`` is only gone through while somebody listens: pass a generator.
    """
    if not count:
        return
    MESSAGES[stage].inc(count)
    if trace_logger.isEnabledFor(logging.DEBUG):
        for message_id in message_ids:
            trace_logger.debug("%s %s", stage, message_id, extra={"message_id": message_id, "stage": stage})
