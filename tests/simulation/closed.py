"""The end of a simulated connection."""


class Closed(Exception):
    """A connection has ended: by a close frame with this code, or with 1006 by none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
