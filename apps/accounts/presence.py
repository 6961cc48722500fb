"""How users stand for others: online or not, and when they were last seen, as far as they let it be known."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from apps.accounts.models import Block, User
from apps.connections.presence import list_online


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What one user may know of another; ``last_seen_ms`` is None where it is not shown or not known, and of somebody
    online moves on by the minute, so that an app that asks again within it need not be sent the same again.
    """

    user_id: str
    online: bool
    last_seen_ms: int | None


def list_presence(viewer_id: str, user_ids: Sequence[str]) -> dict[str, Presence]:
    """How these users stand for a viewer; without those who do not exist.

    Somebody suspended, or who has blocked the viewer, looks like somebody who is never there. Raises ValkeyError.
    """
    return list_presence_of_pairs([(viewer_id, user_id) for user_id in user_ids], list_online(user_ids)).get(
        viewer_id, {}
    )


def list_presence_of_pairs(pairs: Sequence[tuple[str, str]], online: set[str]) -> dict[str, dict[str, Presence]]:
    """The same for many viewers, each pair (viewer, user), in two queries: viewer → user → presence."""
    people = {row.pk: row for row in _list_people([user_id for _, user_id in pairs])}
    blocks = _list_blocks(people, [viewer_id for viewer_id, _ in pairs])
    this_minute_ms = int(time.time() // 60) * 60_000
    found: dict[str, dict[str, Presence]] = {}
    for viewer_id, user_id in pairs:
        if (person := people.get(user_id)) is not None:
            hidden = not person.is_active or (user_id, viewer_id) in blocks
            presence = _show(
                person, online=user_id in online and not hidden, hidden=hidden, this_minute_ms=this_minute_ms
            )
            found.setdefault(viewer_id, {})[user_id] = presence
    return found


def _list_people(user_ids: Sequence[str]) -> Sequence[User]:
    users = User.objects.filter(pk__in=set(user_ids)).select_related("settings")
    return list(users.annotate(last_seen_at=Max("devices__last_seen_at")))


def _list_blocks(people: Mapping[str, User], viewer_ids: Sequence[str]) -> set[tuple[str, str]]:
    return set(
        Block.objects.filter(owner_id__in=people, person_id__in=set(viewer_ids)).values_list("owner_id", "person_id")
    )


def _show(person: User, *, online: bool, hidden: bool, this_minute_ms: int) -> Presence:
    settings = getattr(person, "settings", None)  # a user without a row has the defaults
    shows_last_seen = not hidden and (settings is None or settings.show_last_seen)
    seen_at: datetime | None = getattr(person, "last_seen_at", None)
    seen_ms = int(seen_at.timestamp() * 1000) if seen_at else None
    last_seen_ms = max(this_minute_ms, seen_ms or 0) if online else seen_ms
    return Presence(user_id=person.pk, online=online, last_seen_ms=last_seen_ms if shows_last_seen else None)
