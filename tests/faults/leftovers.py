"""What a site that has come to rest still holds for people."""

import time
from collections.abc import Iterator, Sequence, Set
from typing import Any

from tests.client.history import History
from tests.client.site import Site
from tests.faults.checker.events import Events
from tests.faults.checker.remains import find_in_remains
from tests.faults.end_state import read_end_state

PATIENCE = 10.0
SETTLE_PATIENCE = 120.0  # what a lost hint left undone, a sweep does within a minute
LOOK_SECONDS = 2.0


def wait_settled(site: Site, histories: Sequence[History], patience: float = SETTLE_PATIENCE) -> dict[str, Any]:
    """Read what a site holds until nothing of it is left over from this run, or it has not changed for `patience` s.

    Gives the last end state.
    """
    last: set[str] = set()
    since = time.monotonic()
    while True:
        state = read_end_state(site)
        found = {finding.detail for finding in find_in_remains(Events(histories), state)} | set(_list_unsettled(state))
        if found != last:
            last, since = found, time.monotonic()
        if not found or time.monotonic() - since > patience:
            return state
        time.sleep(LOOK_SECONDS)


def _list_unsettled(state: dict[str, Any]) -> Iterator[str]:
    """What workers have still to do for groups: everybody is there, so in the end nothing waits for anybody."""
    for row in state["rows"]:
        if row["group_id"] and row["waiting"]:
            yield f"{row['message_id']} waits in its group"
    if state["counts_to_tell"]:
        yield f"{state['counts_to_tell']} counts are to be told"


def find_leftovers(site: Site, user_ids: Set[str], patience: float = PATIENCE) -> dict[str, int]:
    """The inboxes of these users that are not empty, when all are or nothing has changed for `patience` seconds."""
    last, since = -1, time.monotonic()
    while True:
        entries = site.waiting_entries()
        waiting = {key: count for key, count in entries.items() if any(user_id in key for user_id in user_ids)}
        if not waiting:
            return {}
        if (left := sum(waiting.values())) != last:
            last, since = left, time.monotonic()
        elif time.monotonic() - since > patience:
            return waiting
        time.sleep(0.1)
