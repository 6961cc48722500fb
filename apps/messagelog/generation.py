"""Setting up the log: its generation is kept in the users' database and only ever raised."""

from django.db import transaction

from apps.messagelog.base import KnownLog
from apps.messagelog.log import get_message_log
from apps.messagelog.models import LogGeneration

ONLY_ROW = 1
RESTORED = "restored"
"""Stands in the place of a log's identity, and is none."""


def set_up_log() -> int:
    """Make the log usable and return its generation; may be called at every start.

    Raises LogUnavailable, or ValueError where the server would lose acknowledged records or was made otherwise.
    """
    with transaction.atomic():
        # Made first, so that hosts that start together have a row to wait for.
        LogGeneration.objects.get_or_create(pk=ONLY_ROW, defaults={"generation": 0})
        row = LogGeneration.objects.select_for_update().get(pk=ONLY_ROW)
        found = get_message_log().set_up(KnownLog(generation=row.generation, identity=row.identity))
        row.generation, row.identity = found.generation, found.identity
        row.save()
    return row.generation


def distrust_log() -> None:
    """Let the next set-up raise the generation: after a restore the log would give out positions a second time, and
    what had them the first time is still in people's devices.
    """
    LogGeneration.objects.update(identity=RESTORED)
