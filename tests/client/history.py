"""What one client did and saw: the record that flow tests ask and the fault checker judges.

Times are seconds of `time.monotonic()`, so histories of several clients of one process compare.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ClientId = int | str
Frame = Mapping[str, Any]

RETRYABLE_CODES = frozenset({"rate_limited", "overloaded", "unavailable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One time that a message was written to a socket; `connection` counts this client's connections from 1."""

    at: float
    connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """One ✓ as it came; the last one of a message stands."""

    at: float
    message_id: str
    sequence: int


@dataclass(slots=True, kw_only=True)
class SentMessage:
    """A message of this client's own, from `send` to ✓✓; `receiver_id` is a user or a group."""

    client_id: ClientId
    receiver_id: str
    content: str
    submitted_at: float
    attempts: list[Attempt] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    errors: list[Frame] = field(default_factory=list)
    delivered_at: float | None = None
    delivered_id: str | None = None
    delivered_counts: list[tuple[int, int]] = field(default_factory=list)  # in a group: (delivered, members) as told
    withdrawn: bool = False
    expected_errors: frozenset[str] = frozenset()  # codes that this message was written to provoke

    @property
    def is_to_group(self) -> bool:
        """Whether it is for a group."""
        return self.receiver_id.startswith("grp-")

    @property
    def is_acknowledged(self) -> bool:
        """Whether ✓ came; ✓✓ counts as ✓."""
        return bool(self.acknowledgements) or self.delivered_at is not None

    @property
    def is_refused(self) -> bool:
        """Whether an error that no retry can mend ended it, before or after ✓."""
        return self.withdrawn or any(error["code"] not in RETRYABLE_CODES for error in self.errors)

    @property
    def message_id(self) -> str | None:
        """The server's id that stands, or None before ✓."""
        if self.acknowledgements:
            return self.acknowledgements[-1].message_id
        return self.delivered_id

    @property
    def sequence(self) -> int | None:
        """The sequence that stands, or None before ✓."""
        return self.acknowledgements[-1].sequence if self.acknowledgements else None


@dataclass(slots=True, kw_only=True)
class ShownMessage:
    """A message that arrived, as the person would see it once; `repeats` counts later arrivals of the same id."""

    message_id: str
    sender_id: str
    receiver_id: str | None
    content: str
    sequence: int
    timestamp: int
    at: float
    connection: int
    group_id: str | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEvent:
    """An event of a group, as it came; `shown_before` counts the messages that had come by then."""

    group_id: str
    event_id: str
    kind: str
    user_ids: tuple[str, ...]
    sequence: int
    shown_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The end of a connection; `code` is 1006 when no close frame came."""

    at: float
    connection: int
    code: int
    reason: str


class History:
    """Everything one device did and saw, over all its connections."""

    def __init__(self, user_id: str, device_id: str) -> None:
        self.user_id = user_id
        self.device_id = device_id
        self.sent: dict[ClientId, SentMessage] = {}
        self.shown: dict[str, ShownMessage] = {}  # in the order of first arrival
        self.group_events: dict[str, GroupEvent] = {}  # by id, in the order of first arrival
        self.delivered_ids: set[str] = set()  # every message_id that a ✓✓ named
        self.errors: list[Frame] = []
        self.frames: list[Frame] = []
        self.closes: list[Close] = []
        self.conflicting_repeats: list[Frame] = []  # an id seen before, with other words: never allowed
        self.logged_in_at = -math.inf  # the server had said so by then
        self.logged_out_at = math.inf  # so too

    @property
    def is_logged_out(self) -> bool:
        """Whether the device is none of its user's any more."""
        return self.logged_out_at < math.inf

    @property
    def in_flight(self) -> list[SentMessage]:
        """Messages submitted, not refused, and without ✓✓."""
        return [m for m in self.sent.values() if m.delivered_at is None and not m.is_refused]

    def record(self, frame: Frame, *, at: float, connection: int) -> None:
        """Take in one frame of the server; frames seen twice change nothing but counts."""
        self.frames.append(frame)
        match frame["action"]:
            case "message_received":
                self._acknowledge(frame, at)
            case "incoming_message":
                self._show(frame, at, connection)
            case "group_event":
                self._note_event(frame)
            case "message_delivered":
                self._deliver(frame, at)
            case "error":
                self._refuse(frame)

    def _acknowledge(self, frame: Frame, at: float) -> None:
        message = self.sent.get(frame["message_id_by_client"])
        if message is not None:
            message.acknowledgements.append(
                Acknowledgement(at=at, message_id=frame["message_id"], sequence=frame["sequence"])
            )

    def _show(self, frame: Frame, at: float, connection: int) -> None:
        known = self.shown.get(frame["message_id"])
        if known is None:
            self.shown[frame["message_id"]] = ShownMessage(
                message_id=frame["message_id"],
                sender_id=frame["sender_id"],
                receiver_id=frame.get("receiver_id"),
                content=frame["content"],
                sequence=frame["sequence"],
                timestamp=frame["timestamp"],
                at=at,
                connection=connection,
                group_id=frame.get("group_id"),
            )
        elif (known.sender_id, known.content, known.sequence) == (
            frame["sender_id"],
            frame["content"],
            frame["sequence"],
        ):
            known.repeats += 1
        else:
            self.conflicting_repeats.append(frame)

    def _note_event(self, frame: Frame) -> None:
        if frame["event_id"] not in self.group_events:
            self.group_events[frame["event_id"]] = GroupEvent(
                group_id=frame["group_id"],
                event_id=frame["event_id"],
                kind=frame["kind"],
                user_ids=tuple(frame["user_ids"]),
                sequence=frame["sequence"],
                shown_before=len(self.shown),
            )

    def _deliver(self, frame: Frame, at: float) -> None:
        self.delivered_ids.add(frame["message_id"])
        message = self.sent.get(frame.get("message_id_by_client", ""))
        if message is not None and "members" in frame:
            message.delivered_counts.append((frame["delivered"], frame["members"]))
        if message is not None and message.delivered_at is None:
            message.delivered_at = at
            message.delivered_id = frame["message_id"]

    def _refuse(self, frame: Frame) -> None:
        self.errors.append(frame)
        message = self._find_sent(frame)
        if message is None:
            return
        message.errors.append(frame)
        if "message_id" in frame:
            message.withdrawn = True

    def _find_sent(self, frame: Frame) -> SentMessage | None:
        if "message_id_by_client" in frame:
            return self.sent.get(frame["message_id_by_client"])
        named = frame.get("message_id")
        return next((m for m in self.sent.values() if named is not None and m.message_id == named), None)
