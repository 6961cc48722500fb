"""The Message DB on a database of Django's: SQLite (its own file) or PostgreSQL.

Statements are written out and run with ``executemany``: model instances would cost more than the database does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from django.db import InterfaceError, InternalError, OperationalError, connections, transaction

from apps.messagestore.base import (
    HISTORY_KEPT_MS,
    TRACE_KEPT_MS,
    UNDELIVERED_KEPT_MS,
    Body,
    Confirmation,
    NewMessage,
    Pointer,
    Standing,
    StoreUnavailable,
)
from apps.messagestore.router import ALIAS

CHUNK = 500
"""Ids in one IN list."""

_STANDING = (
    "id, sender_id, sender_device, client_id, digest, receiver_id, conversation_id, sequence, timestamp_ms,"
    " undelivered, pending_devices, repeated, settled_at_ms, refusal"
)
_BODY = (
    "id, sender_id, receiver_id, group_id, content, envelope, media, reply_to, timestamp_ms, sequence, conversation_id,"
    " pending_devices"
)
_POINTER = "conversation_id, reader_id, peer_id, message_id, sequence, read_at_ms"
_INSERT = (
    "INSERT INTO message (id, sender_id, sender_device, client_id, digest, receiver_id, group_id,"
    " conversation_id, sequence, content, envelope, media, reply_to, timestamp_ms, sent_at_ms, stored_at_ms, undelivered, pending_devices,"
    " confirmations, history_for, repeated, settled_at_ms, refusal, stripped_at_ms, expires_at_ms)"
    " VALUES (%s, %s, %s, %s, %s, %s, '', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '', %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT DO NOTHING"
)
# SQL reads the old values on the right-hand side: {left} is the list without this device.
_LEFT = "replace(pending_devices, %s, '')"
_GONE = f"({_LEFT} = '' AND history_for = '' AND (NOT undelivered OR receiver_id = %s))"
_CONFIRM = (
    "UPDATE message SET"
    f" content = CASE WHEN {_GONE} THEN NULL ELSE content END,"
    f" envelope = CASE WHEN {_GONE} THEN NULL ELSE envelope END,"
    f" media = CASE WHEN {_GONE} THEN NULL ELSE media END,"
    f" reply_to = CASE WHEN {_GONE} THEN NULL ELSE reply_to END,"
    f" stripped_at_ms = CASE WHEN {_GONE} THEN %s ELSE stripped_at_ms END,"
    f" expires_at_ms = CASE WHEN {_GONE} THEN %s"
    " WHEN undelivered AND receiver_id = %s AND history_for <> '' THEN %s ELSE expires_at_ms END,"
    " settled_at_ms = CASE WHEN undelivered AND receiver_id = %s THEN %s ELSE settled_at_ms END,"
    " confirmations = CASE WHEN pending_devices LIKE %s OR (undelivered AND receiver_id = %s)"
    " THEN confirmations || %s ELSE confirmations END,"
    " undelivered = (undelivered AND receiver_id <> %s),"
    f" pending_devices = {_LEFT}"
    " WHERE id = %s AND (receiver_id = %s OR sender_id = %s) AND stripped_at_ms IS NULL"
    " AND (pending_devices LIKE %s OR (undelivered AND receiver_id = %s))"
)


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
            cursor.executemany(_INSERT, [_insert_values(message, now_ms) for message in messages])
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
            f"SELECT {_STANDING} FROM message WHERE sender_id = %s AND sender_device = %s AND client_id = %s",
            [message.sender_id, message.sender_device, message.client_id],
        )
        return _to_standing(rows[0]) if rows else None

    def list_standings(self, message_ids: Sequence[str]) -> dict[str, Standing]:
        """See MessageStore."""
        return {row[0]: _to_standing(row) for row in _rows_by_id(f"SELECT {_STANDING} FROM message", message_ids)}

    def mark_repeated(self, message_ids: Sequence[str]) -> None:
        """See MessageStore."""
        with _translated_errors(), _cursor() as cursor:
            cursor.executemany("UPDATE message SET repeated = %s WHERE id = %s", [(True, one) for one in message_ids])

    def confirm(self, confirmations: Sequence[Confirmation]) -> None:
        """See MessageStore."""
        if not confirmations:
            return
        with _translated_errors(), _cursor() as cursor:
            cursor.executemany(_CONFIRM, [_confirm_values(confirmation) for confirmation in confirmations])

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
        select = f"SELECT {_POINTER} FROM read_pointer WHERE conversation_id = %s AND reader_id = %s"
        return [_to_pointer(row) for one in pointers for row in _rows(select, [one.conversation_id, one.reader_id])]

    def list_bodies(self, message_ids: Sequence[str]) -> dict[str, Body]:
        """See MessageStore."""
        where = "stripped_at_ms IS NULL AND refusal = ''"
        return {row[0]: _to_body(row) for row in _rows_by_id(f"SELECT {_BODY} FROM message", message_ids, where)}

    def adopt_undelivered(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        with _translated_errors(), _cursor() as cursor:
            cursor.execute(
                "UPDATE message SET pending_devices = pending_devices || %s"
                " WHERE receiver_id = %s AND undelivered AND refusal = '' AND expires_at_ms > %s"
                " AND pending_devices NOT LIKE %s",
                [f"{device_id} ", user_id, now_ms, f"%{device_id} %"],
            )
            return int(cursor.rowcount)

    def list_pending(self, user_id: str, device_id: str, now_ms: int) -> list[tuple[str, str, int, int]]:
        """See MessageStore."""
        select = (
            "SELECT id, conversation_id, sequence, timestamp_ms FROM message"
            " WHERE {} = %s AND pending_devices <> '' AND pending_devices LIKE %s AND expires_at_ms > %s"
        )
        values = [user_id, f"%{device_id} %", now_ms]
        return [
            (row[0], row[1], row[2], row[3])
            for column in ("receiver_id", "sender_id")
            for row in _rows(select.format(column), values)
        ]

    def list_settled_since(self, sender_id: str, since_ms: int) -> list[Standing]:
        """See MessageStore."""
        rows = _rows(
            f"SELECT {_STANDING} FROM message WHERE sender_id = %s AND settled_at_ms >= %s"
            " ORDER BY settled_at_ms, sequence",
            [sender_id, since_ms],
        )
        return [_to_standing(row) for row in rows]

    def list_pointers_since(self, user_id: str, since_ms: int) -> list[Pointer]:
        """See MessageStore."""
        return [
            _to_pointer(row)
            for column in ("reader_id", "peer_id")
            for row in _rows(
                f"SELECT {_POINTER} FROM read_pointer WHERE {column} = %s AND read_at_ms >= %s", [user_id, since_ms]
            )
        ]

    def release_device(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        pending = [row[0] for row in self.list_pending(user_id, device_id, 0)]
        with self.batch(), _cursor() as cursor:
            cursor.executemany(
                f"UPDATE message SET pending_devices = {_LEFT} WHERE id = %s",
                [(f"{device_id} ", message_id) for message_id in pending],
            )
            cursor.executemany(
                "UPDATE message SET content = NULL, envelope = NULL, media = NULL, reply_to = NULL,"
                " stripped_at_ms = %s, expires_at_ms = %s WHERE id = %s AND pending_devices = ''"
                " AND history_for = '' AND NOT undelivered AND stripped_at_ms IS NULL",
                [(now_ms, now_ms + TRACE_KEPT_MS, message_id) for message_id in pending],
            )
        return len(pending)

    def list_pending_page(self, after_id: str, limit: int, before_ms: int) -> list[Standing]:
        """See MessageStore."""
        rows = _rows(
            f"SELECT {_STANDING} FROM message WHERE id > %s AND (pending_devices <> '' OR undelivered)"
            " AND stored_at_ms < %s ORDER BY id LIMIT %s",
            [after_id, before_ms, limit],
        )
        return [_to_standing(row) for row in rows]

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


def _insert_values(message: NewMessage, now_ms: int) -> tuple[Any, ...]:
    refused = bool(message.refusal)
    return (
        message.message_id,
        message.sender_id,
        message.sender_device,
        message.client_id,
        message.digest,
        message.receiver_id,
        message.conversation_id,
        message.sequence,
        message.content,
        _to_json(message.envelope),
        _to_json(message.media),
        message.reply_to,
        message.timestamp_ms,
        message.sent_at_ms,
        now_ms,
        not refused,
        "".join(f"{device_id} " for device_id in message.pending_devices),
        "".join(f"{user_id} " for user_id in message.history_for),
        False,
        now_ms if refused else None,
        message.refusal,
        now_ms if refused else None,
        now_ms + (TRACE_KEPT_MS if refused else UNDELIVERED_KEPT_MS),
    )


def _confirm_values(confirmation: Confirmation) -> tuple[Any, ...]:
    device, user = f"{confirmation.device_id} ", confirmation.user_id
    like, at_ms = f"%{device}%", confirmation.at_ms
    gone = (device, user)
    return (
        *gone,
        *gone,
        *gone,
        *gone,
        *gone,
        at_ms,
        *gone,
        at_ms + TRACE_KEPT_MS,
        user,
        at_ms + HISTORY_KEPT_MS,
        user,
        at_ms,
        like,
        user,
        f"{confirmation.device_id}:{at_ms} ",
        user,
        device,
        confirmation.message_id,
        user,
        user,
        like,
        user,
    )


def _to_standing(row: tuple[Any, ...]) -> Standing:
    return Standing(
        message_id=row[0],
        sender_id=row[1],
        sender_device=row[2],
        client_id=row[3],
        digest=row[4],
        receiver_id=row[5],
        conversation_id=row[6],
        sequence=row[7],
        timestamp_ms=row[8],
        undelivered=bool(row[9]),
        pending_devices=tuple(row[10].split()),
        repeated=bool(row[11]),
        settled_at_ms=row[12],
        refusal=row[13],
    )


def _to_body(row: tuple[Any, ...]) -> Body:
    return Body(
        message_id=row[0],
        sender_id=row[1],
        receiver_id=row[2],
        group_id=row[3],
        content=row[4],
        envelope=_from_json(row[5]),
        media=_from_json(row[6]),
        reply_to=row[7],
        timestamp_ms=row[8],
        sequence=row[9],
        conversation_id=row[10],
        pending_devices=tuple(row[11].split()),
    )


def _to_pointer(row: tuple[Any, ...]) -> Pointer:
    return Pointer(
        conversation_id=row[0],
        reader_id=row[1],
        peer_id=row[2],
        message_id=row[3],
        sequence=row[4],
        read_at_ms=row[5],
    )


def _to_json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _from_json(value: str | None) -> dict[str, Any] | None:
    return None if value is None else orjson.loads(value)
