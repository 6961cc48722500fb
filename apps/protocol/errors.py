"""The error codes of the contract and the one exception that carries them to a client."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Codes of an ``error`` frame."""

    INVALID_JSON = "invalid_json"
    UNKNOWN_ACTION = "unknown_action"
    INVALID_FIELD = "invalid_field"
    CONTENT_TOO_LONG = "content_too_long"
    UNKNOWN_RECEIVER = "unknown_receiver"
    NOT_A_MEMBER = "not_a_member"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    FAILED = "failed"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"


MALFORMED = frozenset(
    {ErrorCode.INVALID_JSON, ErrorCode.UNKNOWN_ACTION, ErrorCode.INVALID_FIELD, ErrorCode.CONTENT_TOO_LONG}
)
"""What a well-made client never causes: 20 of these in a minute close the connection."""


class FrameError(Exception):
    """A client's frame that cannot be taken; becomes an ``error`` frame.

    ``retry_after_ms`` is set for the three codes that ask the client to try again.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        field: str | None = None,
        message_id_by_client: int | str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.message_id_by_client = message_id_by_client
        self.retry_after_ms = retry_after_ms
