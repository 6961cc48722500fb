"""Why the server closes a socket: code and reason, as in the contract."""

from enum import Enum


class CloseReason(Enum):
    """Each member's value is (code, reason); the reason is at most 123 bytes."""

    BINARY_FRAME = (1003, "expected text frames")
    TOO_MANY_BROKEN_FRAMES = (1008, "20 broken frames in a minute")
    RESTARTING = (1012, "server restarting")
    READS_TOO_SLOWLY = (1013, "reads too slowly; the inbox keeps all")
    NOT_AUTHENTICATED = (4401, "not authenticated")
    SUSPENDED = (4403, "account suspended")
    REVOKED = (4403, "session revoked")
    ADDRESS_BANNED = (4403, "address banned")
    ORIGIN_REFUSED = (4403, "origin not allowed")
    SILENT = (4408, "no heartbeat")
    NO_ANSWER = (4408, "no frame since a message was pushed")
    REPLACED = (4409, "replaced by a newer connection of this device")
    MOVED = (4409, "this client goes on at another gateway")
    TOO_MANY_CONNECTIONS = (4429, "too many connections")

    @property
    def code(self) -> int:
        """The close code."""
        return self.value[0]

    @property
    def text(self) -> str:
        """The reason, for people who read logs."""
        return self.value[1]
