"""Which groups' messages are to be counted, and when: at once, but of one group at most once a second."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from apps.delivery.group_keys import DUE_KEY
from apps.valkey.pools import sync_client
from apps.valkey.scripts import Script

_LUA = Path(__file__).parent / "lua"
_MARK = Script(_LUA / "mark_due.lua")
_TAKE = Script(_LUA / "take_due.lua")
_COUNTED = Script(_LUA / "note_counted.lua")

COUNT_MS = 10_000
"""How long a count may take before another process does it again."""

TAKEN_AT_ONCE = 200


def mark_due(group_ids: Sequence[str]) -> list[str]:
    """Members of these groups confirmed something. Returns those to count now; the others' turn comes. Raises
    ValkeyError.
    """
    found: list[str] = _MARK.run(sync_client(settings.REDIS_URL), [DUE_KEY], [COUNT_MS, *group_ids])
    return found


def take_due() -> list[str]:
    """Groups whose turn it is. Raises ValkeyError."""
    found: list[str] = _TAKE.run(sync_client(settings.REDIS_URL), [DUE_KEY], [COUNT_MS, TAKEN_AT_ONCE])
    return found


@contextmanager
def counting(group_id: str) -> Iterator[None]:
    """Around a count: after it the group is not due any more, unless something came meanwhile or it failed."""
    client = sync_client(settings.REDIS_URL)
    score = client.zscore(DUE_KEY, group_id)
    yield
    if score is not None:
        _COUNTED.run(client, [DUE_KEY], [group_id, f"{score:.0f}"])
