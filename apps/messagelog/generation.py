"""Setting up the log: its generation is kept in the users' database and only ever raised."""

from django.db import transaction

from apps.messagelog.log import get_message_log
from apps.messagelog.models import LogGeneration


def set_up_log() -> int:
    """Make the log usable and return its generation; may be called at every start.

    Raises LogUnavailable, or ValueError where the server would lose acknowledged records or was made otherwise.
    """
    with transaction.atomic():
        row = LogGeneration.objects.select_for_update().first() or LogGeneration(generation=0)
        row.generation = get_message_log().set_up(row.generation)
        row.save()
    return row.generation
