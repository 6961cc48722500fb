"""A user tells the moderators of somebody, or of a message; the site tells them whom it takes for a spammer."""

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.accounts.errors import InvalidInputError, NotFoundError
from apps.accounts.selectors import get_user
from apps.accounts.services.reputation import lower_reputation
from apps.groups.selectors import list_spells_of
from apps.messagestore.base import Standing
from apps.messagestore.store import get_message_store
from apps.moderation.models import Report


def report_user(reporter_id: str, user_id: str, reason: str, content: str = "") -> tuple[Report, bool]:
    """A report of a user, and whether it is new: the same one again while it is open is counted on it.

    Raises NotFoundError, and InvalidInputError for oneself.
    """
    if user_id == reporter_id:
        raise InvalidInputError({"user_id": ["You cannot report yourself."]})
    return _report(reporter_id, get_user(user_id).pk, "", reason, content)


def report_message(reporter_id: str, message_id: str, reason: str, content: str = "") -> tuple[Report, bool]:
    """A report of a message that the reporter received, also in a group, about its sender; folded as in `report_user`.

    Raises NotFoundError where the reporter did not receive such a message, whether or not it exists, and
    StoreUnavailable.
    """
    # By its own row: what a client says of a message proves nothing, and the row's content is not looked at.
    standing = get_message_store().list_standings([message_id]).get(message_id)
    if standing is None or standing.refusal or not _was_for(standing, reporter_id):
        raise NotFoundError("message")
    return _report(reporter_id, standing.sender_id, message_id, reason, content, group_id=standing.group_id)


@transaction.atomic
def report_spammer(user_id: str, *, points: float, reason: str) -> bool:
    """Limit whom the spam scorer found, and tell the moderators: both or neither. Returns whether the limit is new;
    where it is not they have been told. One who is limited again while nobody has decided is counted on the report.
    """
    if not lower_reputation(user_id, points=points, reason=reason):
        return False
    _report(None, user_id, "", reason, "")
    return True


def _was_for(standing: Standing, user_id: str) -> bool:
    """Whether somebody is whom a message went to: its receiver, or a member of its group at its place in the log."""
    if not standing.group_id:
        return standing.receiver_id == user_id
    pair = (standing.group_id, user_id)
    spells = list_spells_of([pair]).get(pair, [])
    return standing.sender_id != user_id and any(spell.covers(standing.sequence) for spell in spells)


def _report(
    reporter_id: str | None, reported_id: str, message_id: str, reason: str, content: str, group_id: str = ""
) -> tuple[Report, bool]:
    key = {"reporter_id": reporter_id, "reported_user_id": reported_id, "message_id": message_id}
    if (known := _fold(key)) is not None:
        return known, False
    try:
        with transaction.atomic():
            return Report.objects.create(**key, group_id=group_id, reason=reason, content=content), True
    except IntegrityError:
        # The same report came twice at once. If it is not that, the row is missing: the error stands.
        if (known := _fold(key)) is None:
            raise
        return known, False


def _fold(key: dict[str, str | None]) -> Report | None:
    undecided = Report.objects.filter(**key).exclude(state=Report.State.CLOSED)
    undecided.update(repeats=F("repeats") + 1)
    return undecided.first()
