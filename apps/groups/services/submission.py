"""A change of a group on its way: judged, appended to the log, and waited for."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from apps.groups.changes import MODERATOR, Outcome, load_standing
from apps.groups.errors import ChangePending, ChangeRefused
from apps.groups.kinds import Kind
from apps.groups.rules import judge
from apps.groups.selectors import list_settled
from apps.messagelog.base import Entry
from apps.messagelog.log import get_message_log
from apps.protocol.ids import new_event_id
from apps.protocol.records import GroupChangeSubmitted, encode_record

WAIT_SECONDS = 5.0
LOOK_SECONDS = 0.02
LONGEST_LOOK_SECONDS = 0.25


def submit_change(
    kind: Kind,
    group_id: str,
    *,
    by: str,
    user_ids: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
) -> Outcome:
    """Ask for a change and wait until it is in force: then everybody's messages after it stand after it.

    Whether it may be is said at once where that is sure, and in the end by the relay: somebody else's change may stand
    before it. Raises ChangeRefused; ChangePending after 5 s; LogUnavailable, and then it may yet come into force.
    """
    details = dict(details or {})
    standing = load_standing(group_id, by, user_ids, details)
    verdict = judge(kind, by, user_ids, details, standing, moderates=by == MODERATOR)
    if verdict.refusal:
        raise ChangeRefused(verdict.refusal)
    record = GroupChangeSubmitted(
        event_id=new_event_id(),
        group_id=group_id,
        kind=kind.value,
        by=by,
        user_ids=tuple(user_ids),
        details=details,
        timestamp_ms=int(time.time() * 1000),
    )
    get_message_log().append([Entry(key=group_id, payload=encode_record(record))])
    return _wait_for(record)


def _wait_for(record: GroupChangeSubmitted) -> Outcome:
    until, pause = time.monotonic() + WAIT_SECONDS, LOOK_SECONDS
    while time.monotonic() < until:
        change = list_settled([record.event_id]).get(record.event_id)
        if change is not None:
            if change.refusal:
                raise ChangeRefused(change.refusal)
            return Outcome(refusal="", user_ids=tuple(change.user_ids.split()), version=change.version)
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_LOOK_SECONDS)
    raise ChangePending(record.event_id, record.group_id)
