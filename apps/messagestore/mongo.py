"""The Message DB on MongoDB: a replica set, or shards of them, over PyMongo.

There are no transactions: each effect is one conditional statement on one row, every one may be repeated, and the
offset is committed after all of them. Writes wait for the journals of the majority; what decides about an offset is
read from the primary with read concern "majority".
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bson.datetime_ms import DatetimeMS
from django.conf import settings

from apps.messagestore import mongo_statements as statements
from apps.messagestore.base import Body, ClientKey, Confirmation, NewMessage, Pointer, Standing, StoreUnavailable, Trace
from apps.messagestore.mongo_connection import Document
from apps.messagestore.mongo_documents import (
    WITHOUT_CONTENT,
    is_left_unfinished,
    pointer_key,
    to_body,
    to_pointer,
    to_standing,
    to_trace,
)
from apps.messagestore.mongo_errors import write_unordered
from apps.messagestore.mongo_groups import MongoGroupMessages
from apps.messagestore.mongo_history import MongoHistory
from apps.messagestore.mongo_personal_data import MongoPersonalData
from apps.messagestore.mongo_reads import find_by_id, find_by_triple, triple_of
from apps.messagestore.mongo_session import MongoSessions

BY_RECEIVER = [("receiver_id", 1), ("_id", 1)]
PENDING = {"conversation_id": 1, "sequence": 1, "timestamp": 1}


class MongoMessageStore:
    """MessageStore on the server that ``settings.MESSAGE_STORE_URL`` names."""

    def __init__(self) -> None:
        self._sessions = MongoSessions(settings.MESSAGE_STORE_URL)
        self.history = MongoHistory(self._sessions)
        self.groups = MongoGroupMessages(self._sessions)
        self.personal_data = MongoPersonalData(self._sessions)

    def set_up(self) -> list[str]:
        """See MessageStore."""
        return self._sessions.set_up()

    def close(self) -> None:
        """Let go of the server; the next use connects again."""
        self._sessions.close()

    def batch(self) -> AbstractContextManager[None]:
        """Nothing to open or commit: each write in it is durable when its call returns."""
        return nullcontext()

    def insert_absent(self, messages: Sequence[NewMessage], now_ms: int) -> dict[str, Standing]:
        """See MessageStore."""
        rows = statements.insertions(messages, now_ms)
        with self._sessions.open() as collections:
            outcome = write_unordered(collections.messages, rows)
        # The common case needs no second look: every row was absent.
        if not outcome.duplicates and len(rows) == len(messages):
            return {}
        return self._standing_of(messages)

    def _standing_of(self, messages: Sequence[NewMessage]) -> dict[str, Standing]:
        standings = self.list_standings([message.message_id for message in messages])
        found = {one: standings[one] for one in (message.message_id for message in messages) if one in standings}
        others = [message for message in messages if message.message_id not in found]
        if others:
            by_triple = self._list_by_triple(others)
            found |= {one.message_id: by_triple[triple_of(one)] for one in others if triple_of(one) in by_triple}
        if len(found) < len({message.message_id for message in messages}):
            # The primary refused a second row, but the first one could still be rolled back: too early to count on it.
            raise StoreUnavailable("a row that stood before is not on the majority yet")
        return found

    def _list_by_triple(self, messages: Sequence[NewMessage | ClientKey]) -> dict[tuple[str, str, str], Standing]:
        with self._sessions.open() as collections:
            standings = [to_standing(row) for row in find_by_triple(collections, messages)]
        return {triple_of(one): one for one in standings}

    def list_standings(self, message_ids: Sequence[str]) -> dict[str, Standing]:
        """See MessageStore. Finishes, in passing, rows of which a crash left only that to do."""
        rows = self._list_by_id(message_ids, {}, WITHOUT_CONTENT)
        self._finish_left(rows)
        return {row["_id"]: to_standing(row) for row in rows}

    def list_standings_by_client(self, keys: Sequence[ClientKey]) -> dict[ClientKey, Standing]:
        """See MessageStore."""
        found = self._list_by_triple(keys)
        return {key: found[triple_of(key)] for key in keys if triple_of(key) in found}

    def mark_repeated(self, message_ids: Sequence[str]) -> None:
        """See MessageStore."""
        with self._sessions.open() as collections:
            for chunk in statements.chunks(message_ids):
                collections.messages.update_many({"_id": {"$in": chunk}}, {"$set": {"repeated": True}})

    def confirm(self, confirmations: Sequence[Confirmation]) -> None:
        """See MessageStore."""
        with self._sessions.open() as collections:
            settled = write_unordered(collections.messages, statements.last_confirmations(confirmations))
            # The common case needs no more: each message had waited for this one device.
            if settled.matched == len(confirmations):
                return
            write_unordered(collections.messages, statements.confirmations(confirmations))
        self._finish([one.message_id for one in confirmations], max(one.at_ms for one in confirmations))

    def _finish(self, message_ids: Iterable[str], at_ms: int) -> None:
        with self._sessions.open() as collections:
            write_unordered(collections.messages, statements.finishes(message_ids, at_ms))

    def _finish_left(self, rows: Sequence[Mapping[str, Any]]) -> set[str]:
        left = {row["_id"] for row in rows if is_left_unfinished(row)}
        if left:
            self._finish(left, _now_ms())
        return left

    def raise_pointers(self, pointers: Sequence[Pointer]) -> list[Pointer]:
        """See MessageStore."""
        if not pointers:
            return []
        keys = [pointer_key(one.conversation_id, one.reader_id) for one in pointers]
        with self._sessions.open() as collections:
            write_unordered(collections.read_pointers, statements.pointer_raises(pointers))
            found = {row["_id"]: to_pointer(row) for row in collections.read_pointers.find({"_id": {"$in": keys}})}
        if len(found) < len(set(keys)):
            raise StoreUnavailable("a read pointer that stood before is not on the majority yet")
        return [found[key] for key in keys]

    def list_bodies(self, message_ids: Sequence[str]) -> dict[str, Body]:
        """See MessageStore."""
        whole = {"stripped_at": None, "refusal": "", "expires_at": {"$gt": DatetimeMS(_now_ms())}}
        return {row["_id"]: to_body(row) for row in self._list_by_id(message_ids, whole, None)}

    def adopt_undelivered(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        waiting = {"receiver_id": user_id, "waiting": True, "undelivered": True}
        new_to_it = {"pending_devices": {"$ne": device_id}, "expires_at": {"$gt": DatetimeMS(now_ms)}}
        with self._sessions.open() as collections:
            change = {"$addToSet": {"pending_devices": device_id}}
            return collections.messages.update_many(waiting | new_to_it, change).modified_count

    def list_pending(self, user_id: str, device_id: str, now_ms: int) -> list[tuple[str, str, int, int]]:
        """See MessageStore. No query sees one moment, so there are two: what the first has seen of a conversation was
        there in whole before the second began.
        """
        newest: dict[str, int] = {}
        for _, conversation_id, sequence, _ in self._find_pending(user_id, device_id, now_ms):
            newest[conversation_id] = max(sequence, newest.get(conversation_id, 0))
        return [row for row in self._find_pending(user_id, device_id, now_ms) if row[2] <= newest.get(row[1], 0)]

    def _find_pending(self, user_id: str, device_id: str, now_ms: int) -> list[tuple[str, str, int, int]]:
        alive = {"expires_at": {"$gt": DatetimeMS(now_ms)}}
        received = {"receiver_id": user_id, "waiting": True, "pending_devices": device_id}
        copies = {"own_devices": device_id, "sender_id": user_id}
        with self._sessions.open() as collections:
            return [
                (row["_id"], row["conversation_id"], row["sequence"], int(row["timestamp"]))
                for condition in (received, copies)
                for row in collections.messages.find(condition | alive, PENDING)
            ]

    def list_settled_since(self, sender_id: str, since_ms: int) -> list[Standing]:
        """See MessageStore."""
        condition = {"sender_id": sender_id, "settled_at": {"$gte": DatetimeMS(since_ms)}}
        with self._sessions.open() as collections:
            rows = collections.messages.find(condition, WITHOUT_CONTENT).sort([("settled_at", 1), ("sequence", 1)])
            return [to_standing(row) for row in rows]

    def list_pointers_since(self, user_id: str, since_ms: int) -> list[Pointer]:
        """See MessageStore."""
        recent = {"read_at": {"$gte": DatetimeMS(since_ms)}}
        with self._sessions.open() as collections:
            return [
                to_pointer(row)
                for role in ("reader_id", "peer_id")
                for row in collections.read_pointers.find({role: user_id} | recent)
            ]

    def release_device(self, user_id: str, device_id: str, now_ms: int) -> int:
        """See MessageStore."""
        message_ids = [row[0] for row in self._find_pending(user_id, device_id, 0)]
        with self._sessions.open() as collections:
            write_unordered(collections.messages, statements.releases(message_ids, user_id, device_id))
        self._finish(message_ids, now_ms)
        return len(message_ids)

    def list_waiting_page(self, after: tuple[str, str], limit: int, before_ms: int) -> list[Standing]:
        """See MessageStore. Finishes, in passing, rows of which a crash left only that to do."""
        receiver_id, message_id = after
        # Nothing of groups: null is not above any text.
        further = [{"receiver_id": {"$gt": receiver_id}}, {"receiver_id": receiver_id, "_id": {"$gt": message_id}}]
        condition = {"waiting": True, "stored_at": {"$lt": DatetimeMS(before_ms)}, "$or": further}
        with self._sessions.open() as collections:
            rows = list(collections.messages.find(condition, WITHOUT_CONTENT).sort(BY_RECEIVER).limit(limit))
        left = self._finish_left(rows)
        return [to_standing(row) for row in rows if row["_id"] not in left]

    def trace(self, message_id: str) -> Trace | None:
        """See MessageStore."""
        with self._sessions.open() as collections:
            row = collections.messages.find_one({"_id": message_id}, WITHOUT_CONTENT)
        return None if row is None else to_trace(row)

    def list_read_pointers(self, conversation_id: str) -> list[Pointer]:
        """See MessageStore."""
        # Keys that begin with the conversation and a space: "!" comes next after it.
        keys = {"$gte": pointer_key(conversation_id, ""), "$lt": f"{conversation_id}!"}
        with self._sessions.open() as collections:
            return [to_pointer(row) for row in collections.read_pointers.find({"_id": keys})]

    def purge_expired(self, now_ms: int, limit: int) -> int:
        """See MessageStore."""
        expired = {"expires_at": {"$lte": DatetimeMS(now_ms)}}
        with self._sessions.open() as collections:
            rows = collections.messages.find(expired, {"_id": 1}).limit(limit)
            found = {"_id": {"$in": [row["_id"] for row in rows]}}
            return collections.messages.delete_many(found | expired).deleted_count

    def count_expired(self, now_ms: int) -> int:
        """See MessageStore."""
        with self._sessions.open() as collections:
            return collections.messages.count_documents({"expires_at": {"$lte": DatetimeMS(now_ms)}})

    def check(self) -> None:
        """See MessageStore."""
        with self._sessions.open() as collections:
            collections.messages.find_one({"_id": ""}, {"_id": 1})

    def _list_by_id(
        self, message_ids: Sequence[str], condition: Mapping[str, Any], projection: Mapping[str, Any] | None
    ) -> list[Document]:
        with self._sessions.open() as collections:
            return find_by_id(collections, message_ids, condition, projection)


def _now_ms() -> int:
    return int(time.time() * 1000)
