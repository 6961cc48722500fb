"""A change of a group on its way: judged, appended to the log, and waited for."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.groups.changes import MODERATOR, Outcome, load_standing
from apps.groups.errors import ChangePending, ChangeRefused
from apps.groups.kinds import Kind
from apps.groups.models import Change
from apps.groups.rules import judge
from apps.groups.selectors import list_settled
from apps.messagelog.base import Entry
from apps.messagelog.log import get_message_log
from apps.protocol.ids import new_event_id
from apps.protocol.records import GroupChangeSubmitted, encode_record

WAIT_SECONDS = 5.0
LOOK_SECONDS = 0.02
LONGEST_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One thing that is to change; see `Kind`."""

    kind: Kind
    user_ids: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


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
    proposal = Proposal(kind=kind, user_ids=user_ids, details=details or {})
    return submit_changes(group_id, [proposal], by=by)[0]


def submit_changes(group_id: str, proposals: Sequence[Proposal], *, by: str) -> list[Outcome]:
    """The same for several that are asked for together; they stand on the log one after another.

    If one is refused in the end, others may be in force; ChangePending names the last.
    """
    records = [_check_proposal(group_id, proposal, by) for proposal in proposals]
    get_message_log().append([Entry(key=group_id, payload=encode_record(record)) for record in records])
    changes = _wait_for(group_id, [record.event_id for record in records])
    for change in changes:
        if change.refusal:
            raise ChangeRefused(change.refusal)
    return [Outcome(refusal="", user_ids=tuple(change.user_ids.split()), version=change.version) for change in changes]


def _check_proposal(group_id: str, proposal: Proposal, by: str) -> GroupChangeSubmitted:
    kind, user_ids, details = proposal.kind, proposal.user_ids, dict(proposal.details)
    standing = load_standing(group_id, by, user_ids, details)
    verdict = judge(kind, by, user_ids, details, standing, moderates=by == MODERATOR)
    if verdict.refusal:
        raise ChangeRefused(verdict.refusal)
    return GroupChangeSubmitted(
        event_id=new_event_id(),
        group_id=group_id,
        kind=kind.value,
        by=by,
        user_ids=tuple(user_ids),
        details=details,
        timestamp_ms=int(time.time() * 1000),
    )


def _wait_for(group_id: str, event_ids: Sequence[str]) -> list[Change]:
    until, pause = time.monotonic() + WAIT_SECONDS, LOOK_SECONDS
    while len(settled := list_settled(event_ids)) < len(event_ids):
        if time.monotonic() >= until:
            raise ChangePending(event_ids[-1], group_id)
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_LOOK_SECONDS)
    return [settled[event_id] for event_id in event_ids]
