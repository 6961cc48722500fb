"""What connections hand to the batcher, and what a batch makes of it."""

import time
from typing import Protocol

from apps.ingest.admission import Candidate, Done
from apps.messagelog.base import Entry
from apps.observability.metrics import ERRORS
from apps.protocol import ids, server_frames
from apps.protocol.client_frames import SendMessage
from apps.protocol.errors import ErrorCode, FrameError
from apps.protocol.records import MessageSubmitted, content_digest, encode_record


class Origin(Protocol):
    """The connection that a frame came from."""

    user_id: str
    device_id: str

    def send(self, frame: str) -> None:
        """Write a frame to the client, if it is still there."""


class MessageSubmission:
    """One ``send_message`` on its way to the log; ``twins`` are repeats of the same frame in the same batch."""

    __slots__ = (
        "client_key",
        "digest",
        "frame",
        "message_id",
        "origin",
        "refusal",
        "taken_at",
        "timestamp_ms",
        "twins",
    )

    def __init__(self, origin: Origin, frame: SendMessage) -> None:
        self.taken_at = time.perf_counter()
        self.origin = origin
        self.frame = frame
        self.client_key = ids.client_id_key(frame.client_id)
        self.digest = content_digest(frame)
        self.message_id = ""
        self.timestamp_ms = 0
        self.refusal: FrameError | None = None
        self.twins: list[MessageSubmission] = []

    @property
    def conversation_id(self) -> str:
        """The conversation, which is also the key of its partition."""
        frame = self.frame
        return frame.group_id or ids.conversation_id(self.origin.user_id, str(frame.receiver_id))

    def to_candidate(self) -> Candidate:
        """For admission; look-up only where it is refused."""
        return Candidate(
            user_id=self.origin.user_id,
            device_id=self.origin.device_id,
            client_id=self.client_key,
            digest=self.digest,
            message_id="" if self.refusal else self.message_id,
            timestamp_ms=self.timestamp_ms,
        )

    def to_done(self, sequence: int) -> Done:
        """What a retry is to be answered with."""
        return Done(
            user_id=self.origin.user_id,
            device_id=self.origin.device_id,
            client_id=self.client_key,
            digest=self.digest,
            message_id=self.message_id,
            timestamp_ms=self.timestamp_ms,
            sequence=sequence,
        )

    def to_entry(self) -> Entry:
        """The record of this message."""
        frame = self.frame
        record = MessageSubmitted(
            message_id=self.message_id,
            sender_id=self.origin.user_id,
            sender_device=self.origin.device_id,
            client_id=self.client_key,
            digest=self.digest,
            receiver_id=frame.receiver_id,
            group_id=frame.group_id,
            content=frame.content,
            envelope=frame.envelope,
            media=frame.media,
            reply_to=frame.reply_to,
            timestamp_ms=self.timestamp_ms,
            sent_at_ms=frame.sent_at_ms,
        )
        return Entry(key=self.conversation_id, payload=encode_record(record))

    def acknowledge(self, sequence: int) -> None:
        """✓, for this frame and its twins."""
        self.origin.send(
            server_frames.message_received(
                message_id=self.message_id,
                client_id=self.frame.client_id,
                timestamp_ms=self.timestamp_ms,
                sequence=sequence,
            )
        )
        for twin in self.twins:
            twin.acknowledge(sequence)

    def refuse(self, error: FrameError) -> None:
        """Tell the sender why not."""
        error.message_id_by_client = self.frame.client_id
        ERRORS[error.code].inc()
        self.origin.send(server_frames.error(error))
        for twin in self.twins:
            twin.refuse(error)


def unavailable(retry_after_ms: int = 1_000) -> FrameError:
    """The error of a frame whose outcome is unknown or that cannot be taken now."""
    return FrameError(
        ErrorCode.UNAVAILABLE, "The server cannot take this now; send it again.", retry_after_ms=retry_after_ms
    )


def overloaded(retry_after_ms: int = 1_000) -> FrameError:
    """The error of a frame that was not taken because too many are under way."""
    return FrameError(
        ErrorCode.OVERLOADED, "Too many messages are under way; send it again later.", retry_after_ms=retry_after_ms
    )


def rate_limited(retry_after_ms: int) -> FrameError:
    """The error of a frame above the sender's rate."""
    return FrameError(
        ErrorCode.RATE_LIMITED, "You are sending too fast; send it again later.", retry_after_ms=retry_after_ms
    )


def conflicting() -> FrameError:
    """The error of a client id that was used before, with other content."""
    return FrameError(ErrorCode.CONFLICT, "message_id_by_client was used before with other content.")
