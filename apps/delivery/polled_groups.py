"""Pages of groups that are polled: from the cache, which is filled here, or from the Message DB beyond it."""

from apps.delivery.frames import build_polled
from apps.groups.polled_messages import KEPT, PageRequest, PolledMessage, fill, read_page
from apps.messagestore.store import get_message_store

CLOCKS_MS = 10_000
"""By how much gateways' clocks may differ: of what is asked for by time so much older is given too."""

ROUNDS = 5


def list_page(request: PageRequest) -> tuple[str, ...]:
    """Messages as JSON, oldest first. Raises ValkeyError and StoreUnavailable."""
    page = read_page(request)
    for _ in range(ROUNDS):
        if page.state != "miss":
            break
        _fill(request.group_id, page.drops)
        page = read_page(request)
    return page.texts if page.state == "page" else _read_store(request)


def _fill(group_id: str, drops: str) -> None:
    ids = get_message_store().groups.list_last_polled(group_id, KEPT + 1)
    fill(group_id, _load(ids[:KEPT]), whole=len(ids) <= KEPT, drops=drops)


def _read_store(request: PageRequest) -> tuple[str, ...]:
    ids = get_message_store().groups.list_polled(
        request.group_id,
        after=request.after,
        since_ms=max(request.since_ms - CLOCKS_MS, 0),
        limit=request.limit,
    )
    return tuple(one.text for one in _load(ids))


def _load(message_ids: list[str]) -> list[PolledMessage]:
    bodies = get_message_store().list_bodies(message_ids) if message_ids else {}
    return [build_polled(body) for body in sorted(bodies.values(), key=lambda body: body.sequence)]
