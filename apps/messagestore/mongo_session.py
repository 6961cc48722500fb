"""One piece of work with MongoDB: on handles that are fit for it, with errors that the store's callers know."""

from collections.abc import Iterator
from contextlib import contextmanager

from apps.messagestore.base import StoreUnavailable
from apps.messagestore.mongo_connection import Collections, MongoConnection
from apps.messagestore.mongo_errors import translated_errors
from apps.messagestore.mongo_schema import is_set_up, set_up


class MongoSessions:
    """Gives out the process's handles, once the server was seen to refuse duplicates.

    That is looked at again after each failure: what answers then may be another server, or restored without indexes.
    """

    def __init__(self, url: str) -> None:
        self._connection = MongoConnection(url)
        self._is_set_up = False

    @contextmanager
    def open(self) -> Iterator[Collections]:
        """Handles for the block. Raises StoreUnavailable, and what the block makes PyMongo raise as that or as
        DocumentRefused.
        """
        try:
            with translated_errors():
                collections = self._connection.collections()
                if not self._is_set_up and not is_set_up(collections):
                    raise StoreUnavailable("the Message DB has not been set up: run `manage.py setup_store`")
                self._is_set_up = True
                yield collections
        except StoreUnavailable:
            self._is_set_up = False
            raise

    def set_up(self) -> list[str]:
        """Make what is missing; see `mongo_schema.set_up`. Leaves no connection open: `manage.py up` forks next."""
        try:
            with translated_errors():
                return list(set_up(self._connection.collections()))
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the server; the next use connects again."""
        self._connection.close()
        self._is_set_up = False
