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
    " undelivered, pending_devices, own_devices, repeated, settled_at_ms, refusal"
)
_BODY = (
    "id, sender_id, receiver_id, group_id, content, envelope, media, reply_to, timestamp_ms, sequence, conversation_id,"
    " pending_devices, own_devices"
)
_POINTER = "conversation_id, reader_id, peer_id, message_id, sequence, read_at_ms"
_INSERT = (
    "INSERT INTO message (id, sender_id, sender_device, client_id, digest, receiver_id, group_id, conversation_id,"
    " sequence, content, envelope, media, reply_to, timestamp_ms, sent_at_ms, stored_at_ms, undelivered,"
    " pending_devices, own_devices, waiting, confirmations, history_for, repeated, settled_at_ms, refusal,"
    " stripped_at_ms, expires_at_ms)"
    " VALUES (%s, %s, %s, %s, %s, %s, '', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '', %s, %s, %s, %s, %s,"
    " %s) ON CONFLICT DO NOTHING"
)
# SQL reads the old values on the right-hand side: a list that is this one device, or empty, will be empty.
_STRIP = (
    " content = CASE WHEN {gone} THEN NULL ELSE content END,"
    " envelope = CASE WHEN {gone} THEN NULL ELSE envelope END,"
    " media = CASE WHEN {gone} THEN NULL ELSE media END,"
    " reply_to = CASE WHEN {gone} THEN NULL ELSE reply_to END,"
    " stripped_at_ms = CASE WHEN {gone} THEN %(at)s ELSE stripped_at_ms END"
)
_CONFIRM_BY_RECEIVER = (
    "UPDATE message SET"
    + _STRIP.format(gone="pending_devices IN (%(device)s, '') AND own_devices = '' AND history_for = ''")
    + ", expires_at_ms = CASE"
    " WHEN pending_devices IN (%(device)s, '') AND own_devices = '' AND history_for = '' THEN %(trace_until)s"
    " WHEN undelivered AND history_for <> '' THEN %(history_until)s ELSE expires_at_ms END,"
    " settled_at_ms = CASE WHEN undelivered THEN %(at)s ELSE settled_at_ms END,"
    " confirmations = confirmations || %(note)s,"
    " undelivered = FALSE,"
    " waiting = (pending_devices NOT IN (%(device)s, '') OR own_devices <> ''),"
    " pending_devices = replace(pending_devices, %(device)s, '')"
    " WHERE id = %(id)s AND receiver_id = %(user)s AND refusal = '' AND stripped_at_ms IS NULL"
    " AND (undelivered OR pending_devices LIKE %(like)s)"
)
_CONFIRM_OWN_COPY = (
    "UPDATE message SET"
    + _STRIP.format(gone="own_devices = %(device)s AND pending_devices = '' AND history_for = '' AND NOT undelivered")
    + ", expires_at_ms = CASE"
    " WHEN own_devices = %(device)s AND pending_devices = '' AND history_for = '' AND NOT undelivered"
    " THEN %(trace_until)s ELSE expires_at_ms END,"
    " confirmations = confirmations || %(note)s,"
    " waiting = (undelivered OR pending_devices <> '' OR own_devices <> %(device)s),"
    " own_devices = replace(own_devices, %(device)s, '')"
    " WHERE id = %(id)s AND sender_id = %(user)s AND stripped_at_ms IS NULL AND own_devices LIKE %(like)s"
)
_RELEASE = (
    "UPDATE message SET"
    " pending_devices = replace(pending_devices, %(device)s, ''), own_devices = replace(own_devices, %(device)s, ''),"
    " waiting = (undelivered OR pending_devices NOT IN (%(device)s, '') OR own_devices NOT IN (%(device)s, ''))"
    " WHERE id = %(id)s"
)
_STRIP_RELEASED = (
    "UPDATE message SET content = NULL, envelope = NULL, media = NULL, reply_to = NULL, stripped_at_ms = %(at)s,"
    " expires_at_ms = %(trace_until)s WHERE id = %(id)s AND NOT waiting AND history_for = '' AND stripped_at_ms IS NULL"
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
        by_receiver = [_confirm_values(one) for one in confirmations if one.by_receiver]
        of_copies = [_confirm_values(one) for one in confirmations if not one.by_receiver]
        with _translated_errors(), _cursor() as cursor:
            for statement, values in ((_CONFIRM_BY_RECEIVER, by_receiver), (_CONFIRM_OWN_COPY, of_copies)):
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
            f"SELECT {_STANDING} FROM message WHERE sender_id = %s AND settled_at_ms > 0 AND settled_at_ms >= %s"
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
        values = [
            {"id": row[0], "device": f"{device_id} ", "at": now_ms, "trace_until": now_ms + TRACE_KEPT_MS}
            for row in self.list_pending(user_id, device_id, 0)
        ]
        if values:
            with self.batch(), _cursor() as cursor:
                cursor.executemany(_RELEASE, values)
                cursor.executemany(_STRIP_RELEASED, values)
        return len(values)

    def list_waiting_page(self, after: tuple[str, str], limit: int, before_ms: int) -> list[Standing]:
        """See MessageStore."""
        rows = _rows(
            f"SELECT {_STANDING} FROM message WHERE waiting AND (receiver_id, id) > (%s, %s) AND stored_at_ms < %s"
            " ORDER BY receiver_id, id LIMIT %s",
            [*after, before_ms, limit],
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
        _to_list(message.pending_devices),
        _to_list(message.own_devices),
        not refused,
        _to_list(message.history_for),
        False,
        now_ms if refused else 0,
        message.refusal,
        now_ms if refused else None,
        now_ms + (TRACE_KEPT_MS if refused else UNDELIVERED_KEPT_MS),
    )


def _confirm_values(confirmation: Confirmation) -> dict[str, Any]:
    device = f"{confirmation.device_id} "
    return {
        "id": confirmation.message_id,
        "user": confirmation.user_id,
        "device": device,
        "like": f"%{device}%",
        "note": f"{confirmation.device_id}:{confirmation.at_ms} ",
        "at": confirmation.at_ms,
        "trace_until": confirmation.at_ms + TRACE_KEPT_MS,
        "history_until": confirmation.at_ms + HISTORY_KEPT_MS,
    }


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
        own_devices=tuple(row[11].split()),
        repeated=bool(row[12]),
        settled_at_ms=row[13] or None,
        refusal=row[14],
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
        waited_for=(*row[11].split(), *row[12].split()),
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


def _to_list(ids: Sequence[str]) -> str:
    """Each id followed by a space, so that one can be taken out with ``replace``."""
    return "".join(f"{one} " for one in ids)


def _to_json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _from_json(value: str | None) -> dict[str, Any] | None:
    return None if value is None else orjson.loads(value)
