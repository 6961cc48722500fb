"""What a batch leaves to do for groups, told to Celery by the tasks' names. A hint that is lost a sweep finds."""

import logging
import time
from collections.abc import Iterable

from celery import current_app
from kombu.exceptions import OperationalError

from apps.connections.bus import BusSender
from apps.delivery.group_due import mark_due, note_telling, take_due
from apps.groups.polled_messages import add_polled
from apps.groups.viewers import find_viewers
from apps.protocol import server_frames
from apps.relay.group_records import GroupHints
from apps.valkey.pools import ValkeyError

logger = logging.getLogger(__name__)

GROUPS_A_TASK = 20
LOOK_SECONDS = 0.25


class GroupHinter:
    """Passes hints on; ``look`` asks for the counts whose turn has come."""

    def __init__(self, bus: BusSender) -> None:
        self._bus = bus
        self._looked_at = 0.0

    def pass_on(self, hints: GroupHints) -> None:
        """Ask for what a batch left to do, now that it is stored. Raises ValkeyError where the cache of a group that
        is polled would miss a message, or a sender a count: then do it again.
        """
        add_polled(hints.polled)
        for group_id, message_ids in hints.to_tell.items():
            note_telling(group_id, sorted(message_ids))
        try:
            _ask("groups.fan_out", hints.to_fan_out)
            if hints.to_count:
                _ask("groups.count", mark_due(hints.to_count))
            self._tell_viewers(hints)
        except (ValkeyError, OSError, OperationalError) as error:
            logger.warning("work for groups was not asked for, the sweep finds it: %s", error)

    def _tell_viewers(self, hints: GroupHints) -> None:
        newest = {one.group_id: one.sequence for one in hints.polled}
        frames = [
            *((one, server_frames.group_activity(group_id=one, sequence=sequence)) for one, sequence in newest.items()),
            *((one, server_frames.group_changed(group_id=one, version=each)) for one, each in hints.changed.items()),
        ]
        viewers = find_viewers(sorted({group_id for group_id, _ in frames}))
        self._bus.tell_viewers([(server_id, one, frame) for one, frame in frames for server_id in viewers[one]])

    def look(self) -> None:
        """At most four times a second: which groups are to be counted now?"""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            _ask("groups.count", take_due())
        except (ValkeyError, OSError, OperationalError) as error:
            logger.warning("counts of groups were not asked for, they are due again: %s", error)


def _ask(task: str, group_ids: Iterable[str]) -> None:
    ordered = sorted(group_ids)
    for start in range(0, len(ordered), GROUPS_A_TASK):
        current_app.send_task(task, args=[ordered[start : start + GROUPS_A_TASK]], retry=False)
