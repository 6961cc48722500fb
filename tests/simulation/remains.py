"""What the servers hold when a run has come to rest."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from apps.delivery.group_keys import DUE_KEY, telling_key
from tests.simulation.brokers import PartitionedLog
from tests.simulation.databases import SimulatedDatabase
from tests.simulation.plan import GROUP
from tests.simulation.valkey import SimulatedValkey

LOOK_SECONDS = 1.0
COLUMNS = (
    *(
        "id",
        "sender_id",
        "sender_device",
        "client_id",
        "receiver_id",
        "group_id",
        "conversation_id",
        "sequence",
        "timestamp_ms",
    ),
    *("content", "undelivered", "pending_devices", "own_devices", "waiting", "history_for", "repeated"),
    *("settled_at_ms", "refusal", "stripped_at_ms", "expires_at_ms"),
)
ROWS = f"SELECT {', '.join(COLUMNS)} FROM message ORDER BY id"  # noqa: S608 - made of constants
# Whoever switches history off is waited for too: what was cut short is erased at the next beat.
UNSETTLED = """
    SELECT count(*) FROM message
    WHERE waiting OR content IS NOT NULL AND (trim(history_for) = '' OR refusal <> '')
"""

STAYS = "SELECT user_id, from_sequence, to_sequence FROM groups_member ORDER BY id"


class Remains:
    """Looks at the servers from outside."""

    def __init__(
        self,
        cache: SimulatedValkey,
        log: SimulatedValkey | PartitionedLog,
        store: SimulatedDatabase,
        users: SimulatedDatabase,
    ) -> None:
        self._users = users
        self._cache = cache
        self._log = log
        self._store = store

    async def wait_for_rest(self, seconds: float) -> None:
        """Until no inbox holds anything, each row has what it is to keep and nobody has to be told a count, or
        ``seconds`` have passed.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline and (
            self.list_waiting() or self._count_unsettled_rows() or self._count_untold_counts()
        ):
            await asyncio.sleep(LOOK_SECONDS)

    def list_waiting(self) -> dict[str, int]:
        """Inboxes that are not empty: key → entries."""
        return self._count_entries("inbox")

    def _count_unsettled_rows(self) -> int:
        return int(self._store.look(UNSETTLED)[0][0])

    def _count_untold_counts(self) -> int:
        """A count that was cut off once its rows were written is made again later, to tell it."""
        return int(self._cache.look("ZCARD", DUE_KEY)) + int(self._cache.look("SCARD", telling_key(GROUP)))

    def to_document(self) -> Mapping[str, Any]:
        """The end state, as the checker reads it."""
        return {
            "now_ms": int(time.time() * 1000),
            "inboxes": self.list_waiting(),
            "receipts": self._count_entries("receipts"),
            "dead_letters": self._count_dead_letters(),
            "rows": [to_row(values) for values in self._store.look(ROWS)],
            "rows_complete": True,
            "stays": [list(row) for row in self._users.look(STAYS)],
        }

    def _count_dead_letters(self) -> int:
        return len(self._log.dead) if isinstance(self._log, PartitionedLog) else int(self._log.look("XLEN", "log:dead"))

    def _count_entries(self, kind: str) -> dict[str, int]:
        """Entries of inboxes, of living devices and of others."""
        counts: dict[str, int] = {}
        for key in sorted(self._cache.look("KEYS", f"{kind}:*")):
            if count := int(self._cache.look("ZCARD", key)):
                counts[key] = count
        return counts


def to_row(values: Sequence[Any]) -> dict[str, Any]:
    """One row of the Message DB."""
    row = dict(zip(COLUMNS, values, strict=True))
    row["message_id"] = row.pop("id")
    row["has_content"] = row.pop("content") is not None
    row |= {name: row[name].split() for name in ("pending_devices", "own_devices", "history_for")}
    row |= {name: bool(row[name]) for name in ("undelivered", "waiting", "repeated")}
    return row
