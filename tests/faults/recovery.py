"""The question after each fault: does a new message between two new connections get its ✓✓?"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Sequence

from tests.client.chat_client import ChatClient
from tests.client.history import History
from tests.faults.lateness import Window

RECOVERY_TIMEOUT = 120.0


class Probe:
    """Two people of their own who come online for each question and go offline after it; they wait `within` seconds."""

    def __init__(self, asker: ChatClient, answerer: ChatClient, within: float = RECOVERY_TIMEOUT) -> None:
        self.within = within
        self._clients = (asker, answerer)
        self._numbers = itertools.count(1)

    @property
    def histories(self) -> list[History]:
        """What both saw; part of the run."""
        return [client.history for client in self._clients]

    @property
    def clients(self) -> Sequence[ChatClient]:
        """Both."""
        return self._clients

    async def find_recovery(self) -> float | None:
        """Ask; gives the time of the ✓✓ in seconds of `time.monotonic()`, None when it did not come in time."""
        asker, answerer = self._clients
        give_up_at = time.monotonic() + self.within
        for client in self._clients:
            client.go_online()
        message = asker.send(answerer.user_id, f"probe {next(self._numbers)}")
        with contextlib.suppress(AssertionError):
            await asker.wait_for(lambda: message.delivered_at is not None, "✓✓ of a probe", self.within)
        with contextlib.suppress(AssertionError):
            # The sender's ✓✓ says that the other has it; the other's drain may still be under way.
            await answerer.wait_for(lambda: answerer.is_drained, "a drain", max(0.0, give_up_at - time.monotonic()))
        await asyncio.gather(*(client.stop() for client in self._clients))
        return message.delivered_at


def make_window(kind: str, target: str, began_at: float, ended_at: float, recovered_at: float | None) -> Window:
    """The window of a fault after which the probe was just answered, or not."""
    left_at = time.monotonic() if recovered_at is None else recovered_at
    return Window(
        kind=kind, target=target, began_at=began_at, ended_at=ended_at, left_at=left_at, recovered_at=recovered_at
    )
