"""How senders stand: counted in Valkey, from nothing but who wrote to whom and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.valkey.pools import sync_client
from apps.valkey.scripts import Argument, Script

_TRACK = Script(Path(__file__).parent / "lua" / "track.lua")

PEERS_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What one sender did lately: receivers who have not answered, by hour and by day, and messages of this hour."""

    unanswered_hour: int
    unanswered_day: int
    messages_hour: int


def track_messages(pairs: Sequence[tuple[str, str]], now_ms: int) -> dict[str, Activity]:
    """Note these messages, each (sender, receiver), in their order; sender → how they stand after it.

    Raises ValkeyError.
    """
    if not pairs:
        return {}
    arguments: list[Argument] = [now_ms, PEERS_REMEMBERED, *(user_id for pair in pairs for user_id in pair)]
    counts = _TRACK.run(sync_client(settings.REDIS_URL), (), arguments)
    return {
        sender: Activity(unanswered_hour=hour, unanswered_day=day, messages_hour=messages)
        for (sender, _), (hour, day, messages) in zip(pairs, counts, strict=True)
    }
