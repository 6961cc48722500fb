"""How the MongoDB adapter reaches its server: one client a process, and what each collection handle promises."""

import os
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

Document = dict[str, Any]

DATABASE = "chatsite"
"""The database of a URL that names none."""

MESSAGES = "messages"
READ_POINTERS = "read_pointers"
GROUP_POINTERS = "group_pointers"
GROUP_PROGRESS = "group_progress"

WRITE_TIMEOUT_MS = 5_000
"""How long a write waits for the majority, once it has been carried out."""

CLIENT_OPTIONS: dict[str, Any] = {
    "appname": "chatsite",
    # The relay repeats its whole batch anyway: better to hear soon that nobody answers.
    "serverselectiontimeoutms": 2_000,
    "connecttimeoutms": 2_000,
    # Above WRITE_TIMEOUT_MS, so that a majority that lags is told apart from a server that is silent.
    "sockettimeoutms": 8_000,
    # A repeated batch has the same effect with or without; and broadcasts over shards cannot be retried by the driver.
    "retrywrites": False,
}
"""What the URL does not set itself, by the names of MongoDB's connection string, in lower case."""

# Times come back as milliseconds: no time zones, no years that datetime lacks, and nothing to convert.
CODEC: CodecOptions[Document] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
DURABLE = WriteConcern(w="majority", j=True, wtimeout=WRITE_TIMEOUT_MS)
MAJORITY = ReadConcern("majority")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collections:
    """The handles of one process.

    All but one write to the majority's journals and read from the primary what no failover can take back: offsets are
    committed on their word. ``history`` is ``messages`` for reads that may be a little old, from a secondary where
    there is one.
    """

    messages: Collection[Document]
    history: Collection[Document]
    read_pointers: Collection[Document]
    group_pointers: Collection[Document]
    group_progress: Collection[Document]
    sharded: bool

    @property
    def latest(self) -> Collection[Document]:
        """``messages`` as the primary has it now, though a failover could still take it back."""
        return self.messages.with_options(read_concern=ReadConcern("local"))

    @property
    def database(self) -> Database[Document]:
        """The database that holds them."""
        return self.messages.database


class MongoConnection:
    """Makes the client when it is first needed, and anew in a forked child: PyMongo's locks do not survive a fork."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._made_by: int | None = None
        self._collections: Collections | None = None

    def collections(self) -> Collections:
        """The handles of this process. Raises PyMongoError while no server answers."""
        with self._lock:
            if self._collections is None or self._made_by != os.getpid():
                self._collections, self._made_by = open_collections(self._url), os.getpid()
            return self._collections

    def close(self) -> None:
        """Close this process's client, threads and all; the next use makes another."""
        with self._lock:
            if self._collections is not None and self._made_by == os.getpid():
                self._collections.database.client.close()
            self._collections = None


def open_collections(url: str) -> Collections:
    """Connect. Raises PyMongoError where no primary, or no mongos, answers."""
    client: MongoClient[Document] = MongoClient(url, **_missing_options(url))
    try:
        sharded = client.is_mongos
    except BaseException:
        client.close()
        raise
    database = client.get_default_database(DATABASE, codec_options=CODEC, read_preference=ReadPreference.PRIMARY)
    get_durable = partial(database.get_collection, write_concern=DURABLE, read_concern=MAJORITY)
    messages = get_durable(MESSAGES)
    return Collections(
        messages=messages,
        history=messages.with_options(read_preference=ReadPreference.SECONDARY_PREFERRED),
        read_pointers=get_durable(READ_POINTERS),
        group_pointers=get_durable(GROUP_POINTERS),
        group_progress=get_durable(GROUP_PROGRESS),
        sharded=sharded,
    )


def _missing_options(url: str) -> dict[str, Any]:
    """CLIENT_OPTIONS without those that the URL sets; PyMongo would prefer the arguments."""
    given = {pair.partition("=")[0].lower() for pair in urlsplit(url).query.split("&")}
    return {name: value for name, value in CLIENT_OPTIONS.items() if name not in given}
