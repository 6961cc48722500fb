"""The Message DB on a database of Django's: SQLite (its own file) or PostgreSQL.

Statements are written out and run with ``executemany``: model instances would cost more than the database does.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, connections, transaction

from apps.messagestore.base import (
    TRACE_KEPT_MS,
    Body,
    Confirmation,
    NewMessage,
    Pointer,
    Standing,
    StoreUnavailable,
)
from apps.messagestore.orm_rows import confirm_values, insert_values, to_body, to_pointer, to_standing
from apps.messagestore.orm_statements import (
    BODY,
    CONFIRM_BY_RECEIVER,
    CONFIRM_OWN_COPY,
    INSERT,
    POINTER,
    RELEASE,
    STANDING,
    STRIP_RELEASED,
)
from apps.messagestore.router import ALIAS

CHUNK = 500
"""Ids in one IN list."""


class OrmMessageStore:
    """MessageStore on the database with the alias ``messages``."""

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One transaction; its commit is durable (SQLite: WAL with ``synchronous=FULL``)."""
        with _translated_errors(), transaction.atomic(using=ALIAS):
            yield

    def insert_absent(self, messages: Sequence[NewMessage], now_ms: int) -> dict[str, Standing]:
        """See MessageStore."""
        if not messages:
            return {}
        with _translated_errors(), _cursor() as cursor:
            cursor.executemany(INSERT, [insert_values(message, now_ms) for message in messages])
            # The common case needs no second look: every row was absent.
            if cursor.rowcount == len(messages):
                return {}
        return self._standing_of(messages)

    def _standing_of(self, messages: Sequence[NewMessage]) -> dict[str, Standing]:
        standing = self.list_standings([message.message_id for message in messages])
        found: dict[str, Standing] = {}
        for message in messages:
            row = standing.get(message.message_id) or self._find_by_triple(message)
            if row is not None:
                found[message.message_id] = row
        return found

    def _find_by_triple(self, message: NewMessage) -> Standing | None:
        rows = _rows(
            f"SELECT {STANDING} FROM message WHERE sender_id = %s AND sender_device = %s AND client_id = %s",
            [message.sender_id, message.sender_device, message.client_id],
        )
        return to_standing(rows[0]) if rows else None

    def list_standings(self, message_ids: Sequence[str]) -> dict[str, Standing]:
        """See MessageStore."""
        return {row[0]: to_standing(row) for row in _rows_by_id(f"SELECT {STANDING} FROM message", message_ids)}

    def mark_repeated(self, message_ids: Sequence[str]) -> None:
        """See MessageStore."""
        with _translated_errors(), _cursor() as cursor:
            cursor.executemany("UPDATE message SET repeated = %s WHERE id = %s", [(True, one) for one in message_ids])

    def confirm(self, confirmations: Sequence[Confirmation]) -> None:
        """See MessageStore."""
        by_receiver = [confirm_values(one) for one in confirmations if one.by_receiver]
        of_copies = [confirm_values(one) for one in confirmations if not one.by_receiver]
        with _translated_errors(), _cursor() as cursor:
            for statement, values in ((CONFIRM_BY_RECEIVER, by_receiver), (CONFIRM_OWN_COPY, of_copies)):
                if values:
                    cursor.executemany(statement, values)

    def raise_pointers(self, pointers: Sequence[Pointer]) -> list[Pointer]:
        """See MessageStore."""
        if not pointers:
            return []
        with _translated_errors(), _cursor() as cursor:
            cursor.executemany(
                "INSERT INTO read_pointer (conversation_id, reader_id, peer_id, message_id, sequence, read_at_ms)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (conversation_id, reader_id) DO UPDATE SET"
                " message_id = excluded.message_id, sequence = excluded.sequence, read_at_ms = excluded.read_at_ms"
                " WHERE excluded.sequence > read_pointer.sequence",
                [
                    (one.conversation_id, one.reader_id, one.peer_id, one.message_id, one.sequence, one.read_at_ms)
                    for one in pointers
                ],
            )
        select = f"SELECT {POINTER} FROM read_pointer WHERE conversation_id = %s AND reader_id = %s"
        return [to_pointer(row) for one in pointers for row in _rows(select, [one.conversation_id, one.reader_id])]

    def list_bodies(self, message_ids: Sequence[str]) -> dict[str, Body]:
        """See MessageStore."""
        where = f"stripped_at_ms IS NULL AND refusal = '' AND expires_at_ms > {int(time.time() * 1000)}"
        return {row[0]: to_body(row) for row in _rows_by_id(f"SELECT {BODY} FROM message", message_ids, where)}

    def adopt_undelivered(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        with _translated_errors(), _cursor() as cursor:
            cursor.execute(
                "UPDATE message SET pending_devices = pending_devices || %s"
                " WHERE receiver_id = %s AND waiting AND undelivered AND expires_at_ms > %s"
                " AND pending_devices NOT LIKE %s",
                [f"{device_id} ", user_id, now_ms, f"%{device_id} %"],
            )
            return int(cursor.rowcount)

    def list_pending(self, user_id: str, device_id: str, now_ms: int) -> list[tuple[str, str, int, int]]:
        """See MessageStore."""
        select = "SELECT id, conversation_id, sequence, timestamp_ms FROM message WHERE"
        values = [user_id, f"%{device_id} %", now_ms]
        received = _rows(
            f"{select} receiver_id = %s AND waiting AND pending_devices LIKE %s AND expires_at_ms > %s", values
        )
        copies = _rows(
            f"{select} sender_id = %s AND own_devices <> '' AND own_devices LIKE %s AND expires_at_ms > %s", values
        )
        return [(row[0], row[1], row[2], row[3]) for row in (*received, *copies)]

    def list_settled_since(self, sender_id: str, since_ms: int) -> list[Standing]:
        """See MessageStore."""
        rows = _rows(
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
            for row in _rows(
                f"SELECT {POINTER} FROM read_pointer WHERE {column} = %s AND read_at_ms >= %s", [user_id, since_ms]
            )
        ]

    def release_device(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        values = [
            {"id": row[0], "device": f"{device_id} ", "at": now_ms, "trace_until": now_ms + TRACE_KEPT_MS}
            for row in self.list_pending(user_id, device_id, 0)
        ]
        if values:
            with self.batch(), _cursor() as cursor:
                cursor.executemany(RELEASE, values)
                cursor.executemany(STRIP_RELEASED, values)
        return len(values)

    def list_waiting_page(self, after: tuple[str, str], limit: int, before_ms: int) -> list[Standing]:
        """See MessageStore."""
        rows = _rows(
            f"SELECT {STANDING} FROM message WHERE waiting AND (receiver_id, id) > (%s, %s) AND stored_at_ms < %s"
            " ORDER BY receiver_id, id LIMIT %s",
            [*after, before_ms, limit],
        )
        return [to_standing(row) for row in rows]

    def purge_expired(self, now_ms: int, limit: int) -> int:
        """See MessageStore."""
        with _translated_errors(), _cursor() as cursor:
            cursor.execute(
                "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE expires_at_ms <= %s LIMIT %s)",
                [now_ms, limit],
            )
            return int(cursor.rowcount)

    def check(self) -> None:
        """See MessageStore."""
        _rows("SELECT 1 FROM message WHERE id = ''", [])


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        if not connections[ALIAS].in_atomic_block:
            connections[ALIAS].close()
        raise StoreUnavailable(str(error)) from error


def _cursor() -> Any:
    return connections[ALIAS].cursor()


def _rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with _translated_errors(), _cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _rows_by_id(select: str, message_ids: Sequence[str], where: str = "1 = 1") -> list[tuple[Any, ...]]:
    unique = list(dict.fromkeys(message_ids))
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(unique), CHUNK):
        chunk = unique[start : start + CHUNK]
        marks = ", ".join(["%s"] * len(chunk))
        rows += _rows(f"{select} WHERE id IN ({marks}) AND {where}", chunk)
    return rows
