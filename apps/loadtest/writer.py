"""What a pair and a group have in common under load."""

from collections import Counter
from typing import Protocol


class Writer(Protocol):
    """Somebody who sends messages, and those whom they are for."""

    @property
    def acknowledged(self) -> int:
        """Messages that have ✓."""

    @property
    def refusals(self) -> Counter[str]:
        """How often each error code came."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way any more."""

    def send(self) -> None:
        """Send the next message now."""

    def beat(self) -> None:
        """Send the heartbeat of all connections."""

    def close(self) -> None:
        """End all connections."""
