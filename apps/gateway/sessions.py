"""Sessions that this process looked up a moment ago: who asks every two seconds costs no query each time."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.accounts.credentials import find_identities

if TYPE_CHECKING:
    from apps.accounts.credentials import DeviceIdentity
    from apps.gateway.database import DatabaseThreads

REMEMBERED_SECONDS = 30.0
MAX_REMEMBERED = 20_000


class KnownSessions:
    """By the credential's digest. The control stream says when to forget a user's; a break of it forgets all."""

    def __init__(self, threads: "DatabaseThreads") -> None:
        self._threads = threads
        self._known: dict[str, tuple[float, DeviceIdentity]] = {}
        self._doubts = 0

    async def find(self, digests: Sequence[str]) -> "dict[str, DeviceIdentity]":
        """Whose these credentials are, where they may be used. Raises what the database raises."""
        now = time.monotonic()
        found = {one: self._known[one][1] for one in digests if one in self._known and self._known[one][0] > now}
        unknown = [one for one in dict.fromkeys(digests) if one not in found]
        if unknown:
            doubts = self._doubts
            identities = await self._threads.run(lambda: find_identities(unknown))
            fresh = {digest: each for digest, each in identities.items() if not each.suspended}
            if doubts == self._doubts:
                # Nobody's session has ended while these were looked up.
                self._remember(fresh)
            found |= fresh
        return found

    def forget(self, user_id: str) -> None:
        """Some sessions of this user have ended."""
        self._doubts += 1
        self._known = {digest: known for digest, known in self._known.items() if known[1].user_id != user_id}

    def forget_all(self) -> None:
        """Some sessions may have ended, and nobody was told."""
        self._doubts += 1
        self._known.clear()

    def _remember(self, identities: "dict[str, DeviceIdentity]") -> None:
        if len(self._known) + len(identities) > MAX_REMEMBERED:
            self._known.clear()
        until = time.monotonic() + REMEMBERED_SECONDS
        self._known |= {digest: (until, identity) for digest, identity in identities.items()}
