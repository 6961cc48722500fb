"""What each of MongoDB's errors does to a batch."""

from typing import Any

import pytest
from bson.errors import InvalidDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.operations import InsertOne
from pymongo.results import BulkWriteResult

from apps.messagestore.base import StoreUnavailable
from apps.messagestore.mongo_errors import DocumentRefused, Outcome, translated_errors, write_unordered

SECRET = "what people wrote"
DUPLICATE = {"index": 0, "code": 11_000, "errmsg": "E11000 duplicate key", "op": {"content": SECRET}}
TOO_LARGE = {"index": 1, "code": 10_334, "errmsg": f"too large: {SECRET}", "op": {"content": SECRET}}
SHUTTING_DOWN = {"index": 2, "code": 91, "codeName": "ShutdownInProgress", "errmsg": "going", "op": {"content": SECRET}}
NO_MAJORITY = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}


@pytest.fixture
def collection() -> Any:
    client: MongoClient[dict[str, Any]] = MongoClient(connect=False)
    yield client.chat.messages
    client.close()


def write(
    collection: Collection[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, *errors: Any, unconfirmed: Any = ()
) -> Outcome:
    """Write two documents to a server that answers so."""

    def answer(*_: Any, **__: Any) -> BulkWriteResult:
        if errors or unconfirmed:
            raise BulkWriteError({"writeErrors": list(errors), "writeConcernErrors": list(unconfirmed), "nInserted": 2})
        return BulkWriteResult({"nMatched": 0, "nInserted": 2}, acknowledged=True)

    monkeypatch.setattr(Collection, "bulk_write", answer)
    with translated_errors():
        return write_unordered(collection, [InsertOne({}), InsertOne({})])


def test_a_row_that_is_there_already_is_success(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write(collection, monkeypatch).duplicates == 0
    assert write(collection, monkeypatch, DUPLICATE).duplicates == 1
    assert write(collection, monkeypatch, DUPLICATE, DUPLICATE).duplicates == 2


def test_what_the_majority_has_not_confirmed_fails_the_batch(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for errors in ((), (DUPLICATE,), (TOO_LARGE,)):
        with pytest.raises(StoreUnavailable, match="WriteConcernFailed 64: waiting for replication"):
            write(collection, monkeypatch, *errors, unconfirmed=[NO_MAJORITY])


def test_a_server_that_goes_away_under_a_bulk_is_waited_for(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for errors in ((SHUTTING_DOWN,), (DUPLICATE, SHUTTING_DOWN), (TOO_LARGE, SHUTTING_DOWN)):
        with pytest.raises(StoreUnavailable, match="ShutdownInProgress 91"):
            write(collection, monkeypatch, *errors)


def test_a_document_that_can_never_be_stored_is_the_records_fault(
    collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DocumentRefused, match="code 10334"):
        write(collection, monkeypatch, DUPLICATE, TOO_LARGE)
    with pytest.raises(DocumentRefused), translated_errors():
        raise InvalidDocument(f"Invalid document: {SECRET}")


def test_no_error_carries_what_people_wrote(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for errors in ((TOO_LARGE,), (SHUTTING_DOWN,)):
        with pytest.raises((StoreUnavailable, DocumentRefused)) as caught:
            write(collection, monkeypatch, *errors)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__, "a traceback would show PyMongo's own error"


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("stepped down"),
        ServerSelectionTimeoutError("no server, Timeout: 2.0s, Topology Description: <a page of it>"),
        WTimeoutError("waiting for replication timed out", 64),
        OperationFailure("not authorized, full error: {a page of it}", 13),
    ],
)
def test_whatever_may_pass_is_waited_for_and_told_in_one_line(error: Exception) -> None:
    with pytest.raises(StoreUnavailable) as caught, translated_errors():
        raise error
    assert str(caught.value).startswith(f"{type(error).__name__}: ")
    assert "a page of it" not in str(caught.value)
