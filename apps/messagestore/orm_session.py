"""The ORM adapter's way to its database: cursors, transactions, locks, and one error for all that may be repeated."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DataError, Error, IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.messagestore.base import StoreUnavailable
from apps.messagestore.router import ALIAS

CHUNK = 500
"""Ids in one IN list."""

DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
"""A commit that waits for no disk would let the relay give up its place on the log for rows that a crash takes away.
Stronger settings stand, and so does ``local``: it waits for this server's disk, if not for its standbys.
"""


@contextmanager
def transaction_of_batch() -> Iterator[None]:
    """One transaction, or a part of the one around it. Raises StoreUnavailable as `repeatable_errors` does."""
    outermost = not connections[ALIAS].in_atomic_block
    try:
        with repeatable_errors(), transaction.atomic(using=ALIAS, savepoint=False):
            yield
    except StoreUnavailable:
        if outermost:  # it may be a server that has become a standby: the next try shall look anew
            connections[ALIAS].close()
        raise


@contextmanager
def repeatable_errors() -> Iterator[None]:
    """Turn what may go away by itself into StoreUnavailable: a lost connection, a deadlock, a serialization failure,
    a timeout, a server that starts or only reads, a table that is not there yet, a right that is missing. Only what is
    a row's own fault goes through as it is.
    """
    try:
        yield
    except (DataError, IntegrityError):
        raise
    except Error as error:
        if not connections[ALIAS].in_atomic_block:
            connections[ALIAS].close()
        raise StoreUnavailable(str(error).strip()) from error


def execute(statement: str, values: Sequence[Any]) -> int:
    """Run one statement. Returns the rows it concerned."""
    with repeatable_errors(), connections[ALIAS].cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def execute_each(statement: str, values: Sequence[Any]) -> int:
    """Run one statement for each of these values, in order. Returns the rows concerned in all.

    PostgreSQL gets them in one flight of a statement that it has prepared, SQLite one by one.
    """
    if not values:
        return 0
    with repeatable_errors(), connections[ALIAS].cursor() as cursor:
        cursor.executemany(statement, values)
        return int(cursor.rowcount)


def fetch(statement: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with repeatable_errors(), connections[ALIAS].cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def fetch_by_id(select: str, message_ids: Sequence[str], ending: str = "") -> list[tuple[Any, ...]]:
    """Rows of a query on these ids, each once; ``ending`` comes after the condition on the id."""
    unique = list(dict.fromkeys(message_ids))
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(unique), CHUNK):
        chunk = unique[start : start + CHUNK]
        marks = ", ".join(["%s"] * len(chunk))
        rows += fetch(f"{select} WHERE id IN ({marks}) {ending}", chunk)
    return rows


def lock_messages(message_ids: Sequence[str]) -> None:
    """Take the locks on these rows in the order of their ids, until the transaction ends.

    A message's sender and receiver have their confirmations in different partitions: two relays that change the same
    rows in different orders would wait for each other. SQLite has one writer, and nothing to lock.
    """
    if connections[ALIAS].features.has_select_for_update:
        fetch_by_id("SELECT id FROM message", sorted(message_ids), "ORDER BY id FOR UPDATE")


def make_commits_durable(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Refuse a server's setting by which a commit waits for no disk, for each new connection to the Message DB."""
    if connection.alias == ALIAS and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(DURABLE)
