"""The Message DB on a database of Django's: SQLite (its own file) or PostgreSQL.

Statements are written out and run with ``executemany``: model instances would cost more than the database does. Each
is conditional on the row as it is when its turn comes, so that several relays need no more isolation than READ
COMMITTED gives.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from apps.messagestore.base import (
    TRACE_KEPT_MS,
    Body,
    ClientKey,
    Confirmation,
    NewMessage,
    Pointer,
    Standing,
    Trace,
)
from apps.messagestore.orm_groups import OrmGroupMessages
from apps.messagestore.orm_history import OrmHistory
from apps.messagestore.orm_personal_data import OrmPersonalData
from apps.messagestore.orm_rows import (
    confirm_values,
    insert_values,
    pointer_values,
    to_body,
    to_pointer,
    to_standing,
    to_trace,
)
from apps.messagestore.orm_session import (
    execute,
    execute_each,
    fetch,
    fetch_by_id,
    lock_messages,
    transaction_of_batch,
)
from apps.messagestore.orm_statements import (
    BODY,
    CONFIRM_BY_RECEIVER,
    CONFIRM_OWN_COPY,
    INSERT,
    POINTER,
    RAISE_POINTER,
    RELEASE,
    STANDING,
    STRIP_RELEASED,
    TRACE,
)


class OrmMessageStore:
    """MessageStore on the database with the alias ``messages``."""

    history = OrmHistory()
    groups = OrmGroupMessages()
    personal_data = OrmPersonalData()

    def set_up(self) -> list[str]:
        """Nothing: Django's migrations make the tables."""
        return ["the Message DB is a database of Django's: `manage.py migrate --database messages` makes its tables"]

    def batch(self) -> AbstractContextManager[None]:
        """One transaction; its commit is durable (SQLite: WAL with ``synchronous=FULL``)."""
        return transaction_of_batch()

    def insert_absent(self, messages: Sequence[NewMessage], now_ms: int) -> dict[str, Standing]:
        """See MessageStore."""
        # In the given order, for of two records of one message the first one counts. The common case needs no second
        # look: every row was absent.
        if execute_each(INSERT, [insert_values(message, now_ms) for message in messages]) == len(messages):
            return {}
        return self._standing_of(messages)

    def _standing_of(self, messages: Sequence[NewMessage]) -> dict[str, Standing]:
        standing = self.list_standings([message.message_id for message in messages])
        found: dict[str, Standing] = {}
        for message in messages:
            row = standing.get(message.message_id) or _find_by_triple(message)
            if row is not None:
                found[message.message_id] = row
        return found

    def list_standings(self, message_ids: Sequence[str]) -> dict[str, Standing]:
        """See MessageStore."""
        return {row[0]: to_standing(row) for row in fetch_by_id(f"SELECT {STANDING} FROM message", message_ids)}

    def list_standings_by_client(self, keys: Sequence[ClientKey]) -> dict[ClientKey, Standing]:
        """See MessageStore."""
        return {key: standing for key in keys if (standing := _find_by_triple(key)) is not None}

    def mark_repeated(self, message_ids: Sequence[str]) -> None:
        """See MessageStore."""
        execute_each(
            "UPDATE message SET repeated = %s WHERE id = %s", [(True, one) for one in sorted(set(message_ids))]
        )

    def confirm(self, confirmations: Sequence[Confirmation]) -> None:
        """See MessageStore."""
        by_receiver = [confirm_values(one) for one in confirmations if one.by_receiver]
        of_copies = [confirm_values(one) for one in confirmations if not one.by_receiver]
        with self.batch():
            lock_messages([one.message_id for one in confirmations])
            execute_each(CONFIRM_BY_RECEIVER, by_receiver)
            execute_each(CONFIRM_OWN_COPY, of_copies)

    def raise_pointers(self, pointers: Sequence[Pointer]) -> list[Pointer]:
        """See MessageStore."""
        ordered = sorted(pointers, key=lambda one: (one.conversation_id, one.reader_id))
        execute_each(RAISE_POINTER, [pointer_values(one) for one in ordered])
        select = f"SELECT {POINTER} FROM read_pointer WHERE conversation_id = %s AND reader_id = %s"
        return [to_pointer(row) for one in pointers for row in fetch(select, [one.conversation_id, one.reader_id])]

    def list_bodies(self, message_ids: Sequence[str]) -> dict[str, Body]:
        """See MessageStore."""
        kept = f"AND stripped_at_ms IS NULL AND refusal = '' AND expires_at_ms > {int(time.time() * 1000)}"
        return {row[0]: to_body(row) for row in fetch_by_id(f"SELECT {BODY} FROM message", message_ids, kept)}

    def adopt_undelivered(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        return execute(
            "UPDATE message SET pending_devices = pending_devices || %s"
            " WHERE receiver_id = %s AND waiting AND undelivered AND expires_at_ms > %s"
            " AND pending_devices NOT LIKE %s",
            [f"{device_id} ", user_id, now_ms, f"%{device_id} %"],
        )

    def list_pending(self, user_id: str, device_id: str, now_ms: int) -> list[tuple[str, str, int, int]]:
        """See MessageStore."""
        # One statement: what the relay stores between two would stand in the second without what came before it.
        select = "SELECT id, conversation_id, sequence, timestamp_ms FROM message WHERE"
        received = "receiver_id = %s AND waiting AND pending_devices LIKE %s AND expires_at_ms > %s"
        copies = "sender_id = %s AND NOT own_devices = '' AND own_devices LIKE %s AND expires_at_ms > %s"
        values = [user_id, f"%{device_id} %", now_ms]
        rows = fetch(f"{select} {received} UNION ALL {select} {copies}", values * 2)
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def list_settled_since(self, sender_id: str, since_ms: int) -> list[Standing]:
        """See MessageStore."""
        rows = fetch(
            f"SELECT {STANDING} FROM message WHERE sender_id = %s AND settled_at_ms > 0 AND settled_at_ms >= %s"
            " ORDER BY settled_at_ms, sequence",
            [sender_id, since_ms],
        )
        return [to_standing(row) for row in rows]

    def list_pointers_since(self, user_id: str, since_ms: int) -> list[Pointer]:
        """See MessageStore."""
        return [
            to_pointer(row)
            for column in ("reader_id", "peer_id")
            for row in fetch(
                f"SELECT {POINTER} FROM read_pointer WHERE {column} = %s AND read_at_ms >= %s", [user_id, since_ms]
            )
        ]

    def release_device(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        values = [
            {"id": row[0], "device": f"{device_id} ", "at": now_ms, "trace_until": now_ms + TRACE_KEPT_MS}
            for row in sorted(self.list_pending(user_id, device_id, 0))
        ]
        if values:
            with self.batch():
                execute_each(RELEASE, values)
                execute_each(STRIP_RELEASED, values)
        return len(values)

    def list_waiting_page(self, after: tuple[str, str], limit: int, before_ms: int) -> list[Standing]:
        """See MessageStore."""
        # Rows of groups have no receiver: the first page begins behind them.
        rows = fetch(
            f"SELECT {STANDING} FROM message WHERE waiting AND (receiver_id, id) > (%s, %s) AND stored_at_ms < %s"
            " ORDER BY receiver_id, id LIMIT %s",
            [*max(after, (" ", "")), before_ms, limit],
        )
        return [to_standing(row) for row in rows]

    def trace(self, message_id: str) -> Trace | None:
        """See MessageStore."""
        rows = fetch(f"SELECT {TRACE} FROM message WHERE id = %s", [message_id])
        return to_trace(rows[0]) if rows else None

    def list_read_pointers(self, conversation_id: str) -> list[Pointer]:
        """See MessageStore."""
        rows = fetch(f"SELECT {POINTER} FROM read_pointer WHERE conversation_id = %s", [conversation_id])
        return [to_pointer(row) for row in rows]

    def purge_expired(self, now_ms: int, limit: int) -> int:
        """See MessageStore."""
        return execute(
            "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE expires_at_ms <= %s LIMIT %s)",
            [now_ms, limit],
        )

    def count_expired(self, now_ms: int) -> int:
        """See MessageStore."""
        return int(fetch("SELECT count(*) FROM message WHERE expires_at_ms <= %s", [now_ms])[0][0])

    def check(self) -> None:
        """See MessageStore."""
        fetch("SELECT 1 FROM message WHERE id = ''", [])


def _find_by_triple(named: NewMessage | ClientKey) -> Standing | None:
    rows = fetch(
        f"SELECT {STANDING} FROM message WHERE sender_id = %s AND sender_device = %s AND client_id = %s",
        [named.sender_id, named.sender_device, named.client_id],
    )
    return to_standing(rows[0]) if rows else None
