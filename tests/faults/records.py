"""The histories of a run, written down for whoever wants to look closer."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from tests.client.history import History
from tests.faults.checker import Block


def write_histories(path: Path, histories: Sequence[History], blocks: Sequence[Block] = ()) -> None:
    """Write JSON lines, one for each device and block, without the frames: what was sent and shown says it all.

    Times are seconds of the run's `time.monotonic()`; null where something was so before the run, or never came.
    """
    with path.open("wb") as file:
        for history in histories:
            file.write(orjson.dumps(_to_row(history), default=sorted, option=orjson.OPT_APPEND_NEWLINE))
        for block in blocks:
            file.write(orjson.dumps(block, option=orjson.OPT_APPEND_NEWLINE))


def _to_row(history: History) -> dict[str, object]:
    return {
        "user_id": history.user_id,
        "device_id": history.device_id,
        "logged_in_at": history.logged_in_at,
        "logged_out_at": history.logged_out_at,
        "sent": list(history.sent.values()),
        "shown": list(history.shown.values()),
        "group_events": list(history.group_events.values()),
        "delivered_ids": history.delivered_ids,
        "errors": history.errors,
        "closes": history.closes,
        "conflicting_repeats": history.conflicting_repeats,
    }
