"""What kind of messages wait in a device's inbox."""

from collections import Counter
from collections.abc import Iterator

from apps.inbox.inbox import WindowRequest, read_windows
from apps.messagestore.base import StoreUnavailable
from apps.messagestore.store import get_message_store

WINDOW = 500


def count_by_group(user_id: str, device_id: str) -> dict[str, int] | None:
    """Group → how many of its messages wait for a device; None where the Message DB does not answer. Raises
    ValkeyError.
    """
    found: Counter[str] = Counter()
    try:
        for message_ids in _pages(user_id, device_id):
            standings = get_message_store().list_standings(message_ids).values()
            found.update(standing.group_id for standing in standings if standing.group_id)
    except StoreUnavailable:
        return None
    return dict(found)


def _pages(user_id: str, device_id: str) -> Iterator[list[str]]:
    """The ids of the messages; of an inbox that is to be rebuilt nothing."""
    epoch, after, is_last = "", 0, False
    while not is_last:
        request = WindowRequest(user_id=user_id, device_id=device_id, epoch=epoch, after=after)
        [window] = read_windows([request], WINDOW)
        if not window.epoch or (epoch and window.epoch != epoch):
            return
        epoch, after, is_last = window.epoch, window.upto, window.last
        yield [entry.member for entry in window.entries if entry.kind == "message"]
