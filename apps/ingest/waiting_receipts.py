"""Confirmations and read marks on their way to the log: they gather per device while a batch is under way."""

from collections.abc import Callable, Sequence

from apps.ingest.submission import Origin
from apps.messagelog.base import Entry
from apps.protocol.client_frames import MarkRead
from apps.protocol.limits import MAX_CONFIRMED_AT_ONCE
from apps.protocol.records import ConversationRead, DeliveryConfirmed, encode_record

MAX_WAITING = 100_000
"""Message ids that may wait in one process."""


class WaitingReceipts:
    """Bounded; true while anything waits. ``now_ms`` is the wall clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._confirmed: dict[tuple[str, str], list[str]] = {}
        self._read: dict[tuple[str, str, str], str] = {}
        self._waiting = 0

    def __bool__(self) -> bool:
        return bool(self._confirmed or self._read)

    def add_confirmation(self, origin: Origin, message_ids: Sequence[str]) -> bool:
        """Whether there was room."""
        if self._waiting + len(message_ids) > MAX_WAITING:
            return False
        self._confirmed.setdefault((origin.user_id, origin.device_id), []).extend(message_ids)
        self._waiting += len(message_ids)
        return True

    def add_read(self, origin: Origin, frame: MarkRead) -> None:
        """A newer mark replaces one that waits; without room it is dropped, for the next one says the same and more."""
        key = (origin.user_id, origin.device_id, frame.receiver_id or frame.group_id or "")
        if key in self._read or len(self._read) < MAX_WAITING:
            self._read[key] = frame.message_id

    def take(self) -> list[Entry]:
        """All that waits, as records keyed by who confirms."""
        if not self:
            return []
        now_ms = self._now_ms()
        entries: list[Entry] = []
        for (user_id, device_id), message_ids in self._confirmed.items():
            for start in range(0, len(message_ids), MAX_CONFIRMED_AT_ONCE):
                record = DeliveryConfirmed(
                    user_id=user_id,
                    device_id=device_id,
                    message_ids=tuple(message_ids[start : start + MAX_CONFIRMED_AT_ONCE]),
                    timestamp_ms=now_ms,
                )
                entries.append(Entry(key=user_id, payload=encode_record(record)))
        for (user_id, device_id, told), message_id in self._read.items():
            read = ConversationRead(
                user_id=user_id, device_id=device_id, told=told, message_id=message_id, timestamp_ms=now_ms
            )
            entries.append(Entry(key=user_id, payload=encode_record(read)))
        self._confirmed, self._read, self._waiting = {}, {}, 0
        return entries
