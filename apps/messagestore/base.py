"""What every Message DB does. Two adapters exist: ``orm`` here, MongoDB in the production profile."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from apps.protocol import ids
from apps.protocol.errors import ErrorCode

if TYPE_CHECKING:
    from apps.messagestore.groups import GroupMessages
    from apps.messagestore.history import MessageHistory
    from apps.messagestore.personal_data import PersonalData

DAY_MS = 86_400_000
UNDELIVERED_KEPT_MS = 365 * DAY_MS
TRACE_KEPT_MS = 7 * DAY_MS
"""How long a row without content answers for its ids: longer than any retry or replay can come."""


class StoreUnavailable(Exception):
    """The Message DB is down, too slow, or its outcome is unknown: pause and repeat the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A row to insert if its id and its (sender, device, client id) are absent.

    ``pending_devices`` are the receiver's devices, ``own_devices`` the sender's other ones: all must confirm.
    ``refusal`` is an error code where the message is withdrawn at once: then it has no content. ``sequence`` is the
    position of this record. A message to a group has a ``group_id`` in place of a receiver, and pointers in place of
    devices; of one that is not ``tracked`` nobody confirms anything, and one that is ``polled`` is not pushed.
    ``members`` are those who should get it. It is kept for ``kept_ms``, unless it is stripped before.
    """

    message_id: str
    sender_id: str
    sender_device: str
    client_id: str
    digest: str
    receiver_id: str
    conversation_id: str
    sequence: int
    content: str | None
    envelope: dict[str, Any] | None
    media: dict[str, Any] | None
    reply_to: str | None
    timestamp_ms: int
    sent_at_ms: int
    pending_devices: tuple[str, ...]
    own_devices: tuple[str, ...]
    history_for: tuple[str, ...]
    refusal: str
    group_id: str = ""
    members: int = 0
    tracked: bool = True
    polled: bool = False
    kept_ms: int = UNDELIVERED_KEPT_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a message stands; its body is not here. ``settled_at_ms`` is None until it is delivered or refused.

    Of a message to a group ``delivered_count`` of ``members`` have it, and ``settled_at_ms`` is when that last grew.
    """

    message_id: str
    sender_id: str
    sender_device: str
    client_id: str
    digest: str
    receiver_id: str
    conversation_id: str
    sequence: int
    timestamp_ms: int
    undelivered: bool
    pending_devices: tuple[str, ...]
    own_devices: tuple[str, ...]
    repeated: bool
    settled_at_ms: int | None
    refusal: str
    group_id: str = ""
    members: int = 0
    delivered_count: int = 0

    @property
    def message_id_by_client(self) -> ids.ClientMessageId:
        """The client's own id of it."""
        is_conflict = self.refusal == ErrorCode.CONFLICT
        return ids.client_id_from_key(ids.used_key(self.client_id, self.message_id) if is_conflict else self.client_id)

    @property
    def delivered(self) -> bool:
        """Whether a device of the receiver has confirmed it."""
        return self.settled_at_ms is not None and not self.refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """What names a message for the client that wrote it; over shards it takes the receiver to find it."""

    sender_id: str
    sender_device: str
    client_id: str
    receiver_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A device says that it has stored a message; ``by_receiver`` tells it from the sender's own other device."""

    message_id: str
    user_id: str
    device_id: str
    by_receiver: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A message with its content, as a drain sends it; ``waited_for`` are all devices that must still confirm."""

    message_id: str
    sender_id: str
    receiver_id: str
    group_id: str
    content: str | None
    envelope: dict[str, Any] | None
    media: dict[str, Any] | None
    reply_to: str | None
    timestamp_ms: int
    sequence: int
    conversation_id: str
    waited_for: tuple[str, ...]
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """How far ``reader_id`` has read the conversation with ``peer_id``."""

    conversation_id: str
    reader_id: str
    peer_id: str
    message_id: str
    sequence: int
    read_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a message's row tells of its way, for ``manage.py trace``: times in ms, never content.

    ``timestamp_ms`` is when it was accepted, ``stored_at_ms`` when the relay stored it; ``confirmations`` are
    (device, time) in the order they came; ``settled_at_ms`` and ``stripped_at_ms`` are None until then.
    """

    standing: Standing
    sent_at_ms: int
    stored_at_ms: int
    confirmations: tuple[tuple[str, int], ...]
    history_for: tuple[str, ...]
    stripped_at_ms: int | None
    expires_at_ms: int


class MessageStore(Protocol):
    """The Message DB. Every method raises StoreUnavailable, and every write may be repeated with no further effect."""

    @property
    def history(self) -> "MessageHistory":
        """What people who keep history can read back."""

    @property
    def groups(self) -> "GroupMessages":
        """What is particular to groups."""

    @property
    def personal_data(self) -> "PersonalData":
        """All that is held of one person."""

    def set_up(self) -> list[str]:
        """Make what the engine needs and does not have yet; may be repeated. Returns what was done, in lines.

        Raises ValueError where something else is in the way; the text says what to do.
        """

    def batch(self) -> AbstractContextManager[None]:
        """Around the writes of one relay batch: one durable commit where the engine has such a thing."""

    def insert_absent(self, messages: Sequence[NewMessage], now_ms: int) -> dict[str, Standing]:
        """Insert what is absent by id and by (sender, device, client id).

        Returns {} where every row was new; else how the rows stand now, keyed by the given message id: a row with the
        given id and sequence is this record's own (new, or a replay of it), any other stood before and is what counts.
        """

    def list_standings(self, message_ids: Sequence[str]) -> dict[str, Standing]:
        """How messages stand, by id; unknown ids are left out."""

    def list_standings_by_client(self, keys: Sequence[ClientKey]) -> dict[ClientKey, Standing]:
        """The same by the clients' own ids. For the rare case: an engine may look for each of them."""

    def mark_repeated(self, message_ids: Sequence[str]) -> None:
        """Remember that the sender may hold another id or sequence, so that every later receipt repeats what stands."""

    def confirm(self, confirmations: Sequence[Confirmation]) -> None:
        """Take devices off, settle, and strip at once what nobody waits for or keeps."""

    def raise_pointers(self, pointers: Sequence[Pointer]) -> list[Pointer]:
        """Raise read pointers, at most one for a reader and conversation; a lower one changes nothing. Returns how
        they stand.
        """

    def list_bodies(self, message_ids: Sequence[str]) -> dict[str, Body]:
        """Messages that still have content and are not past their time, by id."""

    def adopt_undelivered(self, user_id: str, device_id: str, now_ms: int) -> int:
        """Make a device wait for all of its user's messages that no device has confirmed. Returns how many are new to
        it.
        """

    def list_pending(self, user_id: str, device_id: str, now_ms: int) -> list[tuple[str, str, int, int]]:
        """What a device must still confirm: (message id, conversation id, sequence, timestamp) in no special order.

        Nothing of a conversation stands in it without what was stored of it before. What is stored from the call on may
        be missing.
        """

    def list_settled_since(self, sender_id: str, since_ms: int) -> list[Standing]:
        """A sender's messages delivered or refused since a time, oldest first."""

    def list_pointers_since(self, user_id: str, since_ms: int) -> list[Pointer]:
        """Read pointers of a user, and of others in conversations with that user, raised since a time."""

    def release_device(self, user_id: str, device_id: str, now_ms: int) -> int:
        """Stop waiting for a device that is gone; what only it was to confirm stays undelivered. Returns the rows
        changed.
        """

    def list_waiting_page(self, after: tuple[str, str], limit: int, before_ms: int) -> list[Standing]:
        """Messages stored before a time that wait for some device or for any, by (receiver, id), for the slow sweep."""

    def trace(self, message_id: str) -> Trace | None:
        """A message's way so far; None where the store does not know it (any more)."""

    def list_read_pointers(self, conversation_id: str) -> list[Pointer]:
        """How far each of a conversation's people has read it."""

    def purge_expired(self, now_ms: int, limit: int) -> int:
        """Delete at most ``limit`` rows past their time. Returns how many."""

    def count_expired(self, now_ms: int) -> int:
        """How many rows are past their time and not deleted yet."""

    def check(self) -> None:
        """Raise StoreUnavailable unless the store answers."""
