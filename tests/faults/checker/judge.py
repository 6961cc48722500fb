"""Judges a run that has come to rest."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.client.history import History
from tests.faults.checker.events import Events
from tests.faults.checker.groups import find_in_groups
from tests.faults.checker.promises import PROMISES
from tests.faults.checker.remains import find_in_remains
from tests.faults.checker.report import Finding, Report
from tests.faults.checker.rights import Block, find_refused, find_withdrawn, find_without_right


def check(
    histories: Sequence[History],
    waiting: Mapping[str, int] | None = None,
    *,
    blocks: Sequence[Block] = (),
    end_state: Mapping[str, Any] | None = None,
) -> Report:
    """Judge what the clients saw, and what the servers still hold: ``waiting`` inbox entries by inbox, or the whole
    ``end_state`` (`remains`).

    Raises ValueError when two messages of the run have the same content.
    """
    run = Events(histories)
    findings = [finding for find in PROMISES for finding in find(run)]
    findings += find_without_right(run, blocks)
    findings += find_refused(run, blocks)
    findings += find_withdrawn(run)
    findings += find_in_groups(histories, (end_state or {}).get("rows", ()))
    findings += [Finding(kind="left in an inbox", detail=f"{key}: {n}") for key, n in (waiting or {}).items() if n]
    findings += find_in_remains(run, end_state or {})
    return Report(counts=count_events(run), findings=tuple(findings))


def count_events(run: Events) -> dict[str, int]:
    """How much happened, so that a clean report of an empty run does not look like a proof."""
    messages = [message for _, message in run.sent.values()]
    return {
        "clients": len(run.histories),
        "sent": len(messages),
        "acknowledged": sum(message.is_acknowledged for message in messages),
        "delivered": sum(message.delivered_at is not None for message in messages),
        "refused": sum(message.is_refused for message in messages),
        "sent again": sum(max(0, len(message.attempts) - 1) for message in messages),
        "shown": sum(len(history.shown) for history in run.histories),
        "repeats dropped": sum(shown.repeats for history in run.histories for shown in history.shown.values()),
        "connections": sum(len(history.closes) for history in run.histories),
    }
