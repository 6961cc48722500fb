"""What MongoDB's errors mean: the server is at fault (wait and repeat), or the document (it can never be stored)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bson.errors import InvalidDocument
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.operations import InsertOne, UpdateMany, UpdateOne

from apps.messagestore.base import StoreUnavailable
from apps.messagestore.mongo_connection import Document

DUPLICATE_KEY = 11_000
# BadValue, DocumentValidationFailure, BSONObjectTooLarge, and two older codes for "too large".
DOCUMENT_AT_FAULT = frozenset({2, 121, 10_334, 17_419, 17_420})

MORE = (", full error", " (configured timeouts", ", Timeout:")
"""What PyMongo appends for developers: whole answers and topologies."""

Write = InsertOne[Document] | UpdateMany | UpdateOne


class DocumentRefused(Exception):
    """MongoDB will never take this document; the text has the reason, without any content."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn PyMongo's errors into StoreUnavailable.

    Only known faults of a document are DocumentRefused: anything else may pass, and giving a message up would lose it.
    PyMongo puts documents into some of its errors: those are not carried along.
    """
    try:
        yield
    except BulkWriteError as error:
        raise _meaning_of(error.details) from None
    except InvalidDocument:
        raise DocumentRefused("the document cannot be written as BSON, or is too large") from None
    except PyMongoError as error:
        raise StoreUnavailable(_in_one_line(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a bulk: rows that updates found, and writes that met a row which was there already."""

    matched: int
    duplicates: int


def write_unordered(collection: Collection[Document], writes: Sequence[Write]) -> Outcome:
    """Carry out writes in any order, past those that meet a row that is there already.

    Raises what `translated_errors` turns into StoreUnavailable or DocumentRefused: any other error of a write, and an
    outcome that the majority has not confirmed, however well the primary took it.
    """
    if not writes:
        return Outcome(matched=0, duplicates=0)
    try:
        result = collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        failed = error.details.get("writeErrors", ())
        # Counted here, because some servers count failed inserts as done.
        duplicates = sum(one.get("code") == DUPLICATE_KEY for one in failed)
        if duplicates < len(failed) or error.details.get("writeConcernErrors"):
            raise
        return Outcome(matched=int(error.details.get("nMatched", 0)), duplicates=duplicates)
    return Outcome(matched=result.matched_count, duplicates=0)


def _in_one_line(error: PyMongoError) -> str:
    text = str(error)
    for more in MORE:
        text = text.partition(more)[0]
    return f"{type(error).__name__}: {text}"


def _meaning_of(details: Mapping[str, Any]) -> StoreUnavailable | DocumentRefused:
    failed = [one for one in details.get("writeErrors", ()) if one.get("code") != DUPLICATE_KEY]
    passing = [one for one in failed if one.get("code") not in DOCUMENT_AT_FAULT]
    for one in (*details.get("writeConcernErrors", ()), *passing):
        return StoreUnavailable(f"{one.get('codeName', 'code')} {one.get('code')}: {one.get('errmsg', '')}")
    codes = ", ".join(sorted({str(one["code"]) for one in failed}))
    return DocumentRefused(f"MongoDB refuses the document (code {codes})")
