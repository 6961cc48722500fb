"""The groups' side of the MongoDB adapter. Queries for messages name a group and no receiver: the shard key."""

from collections.abc import Mapping, Sequence

from bson.datetime_ms import DatetimeMS

from apps.messagestore import mongo_group_statements as statements
from apps.messagestore.groups import GroupEvent, GroupPointer, GroupProgress, GroupRow, Settlement
from apps.messagestore.mongo_connection import Document
from apps.messagestore.mongo_documents import (
    OF_EVENT,
    WITHOUT_CONTENT,
    to_group_event,
    to_group_pointer,
    to_group_progress,
    to_group_row,
)
from apps.messagestore.mongo_errors import write_unordered
from apps.messagestore.mongo_reads import find_by_id, find_in_order
from apps.messagestore.mongo_session import MongoSessions
from apps.messagestore.mongo_statements import chunks

MESSAGE_IDS = {"$gte": "msg-"}
"""Events' ids come before them."""


class MongoGroupMessages:
    """GroupMessages on the server of these sessions."""

    def __init__(self, sessions: MongoSessions) -> None:
        self._sessions = sessions

    def raise_stored(self, upto: Mapping[str, int]) -> None:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            made = write_unordered(collections.group_progress, statements.stored_raises(upto))
            if made.duplicates:
                write_unordered(collections.group_progress, statements.stored_raises_of_present(upto))

    def raise_fanned(self, group_id: str, upto: int) -> None:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            for condition, change in statements.fanned_raises(group_id, upto):
                if collections.group_progress.update_one(condition, change).matched_count:
                    return

    def list_progress(self, group_ids: Sequence[str]) -> dict[str, GroupProgress]:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            return {
                row["_id"]: to_group_progress(row)
                for chunk in chunks(group_ids)
                for row in collections.group_progress.find({"_id": {"$in": chunk}})
            }

    def list_behind(self, limit: int) -> list[str]:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            rows = collections.group_progress.find({"behind": True}, {"_id": 1}).limit(limit)
            return [row["_id"] for row in rows]

    def list_rows(self, group_id: str, after: int, upto: int, limit: int) -> list[GroupRow]:
        """See GroupMessages."""
        pushed = _of_groups(group_id) | {"polled": False, "refusal": ""}
        with self._sessions.open() as collections:
            return [to_group_row(row) for row in find_in_order(collections, pushed, after, upto, limit)]

    def list_waiting(self, above: Mapping[str, int]) -> list[GroupRow]:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            rows = [
                to_group_row(row)
                for chunk in chunks(sorted(above))
                for row in collections.messages.find(_waiting_above(chunk, above), WITHOUT_CONTENT)
            ]
        return sorted(rows, key=lambda row: (row.group_id, row.sequence))

    def list_waiting_groups(self, after: str, limit: int) -> list[str]:
        """See GroupMessages. One query for each: a group may have more rows than all of them together are worth."""
        found: list[str] = []
        with self._sessions.open() as collections:
            while len(found) < limit:
                next_one = {"receiver_id": None, "group_id": {"$gt": found[-1] if found else after}, "waiting": True}
                row = collections.messages.find_one(next_one, {"group_id": 1}, sort=[("group_id", 1)])
                if row is None:
                    break
                found.append(row["group_id"])
        return found

    def list_events(self, group_ids: Sequence[str], since_ms: int) -> list[GroupEvent]:
        """See GroupMessages."""
        recent = {"digest": "", "stored_at": {"$gte": DatetimeMS(since_ms)}}
        with self._sessions.open() as collections:
            events = [
                to_group_event(row)
                for chunk in chunks(group_ids)
                for row in collections.messages.find(_of_groups(*chunk) | recent, OF_EVENT)
            ]
        return sorted(events, key=lambda event: (event.group_id, event.sequence))

    def list_events_by_id(self, event_ids: Sequence[str]) -> dict[str, GroupEvent]:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            return {row["_id"]: to_group_event(row) for row in find_by_id(collections, event_ids, {}, OF_EVENT)}

    def list_pointers(self, group_ids: Sequence[str], user_ids: Sequence[str] | None = None) -> list[GroupPointer]:
        """See GroupMessages."""
        of_users: list[Document] = [{}]
        if user_ids is not None:
            of_users = [{"user_id": {"$in": chunk}} for chunk in chunks(user_ids)]
        with self._sessions.open() as collections:
            return [
                to_group_pointer(row)
                for users in of_users
                for chunk in chunks(group_ids)
                for row in collections.group_pointers.find({"group_id": {"$in": chunk}} | users)
            ]

    def add_pointers(self, pointers: Sequence[GroupPointer]) -> None:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            write_unordered(collections.group_pointers, statements.pointer_insertions(pointers))

    def change_pointers(self, changes: Sequence[tuple[GroupPointer, GroupPointer]]) -> int:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            changed = write_unordered(collections.group_pointers, statements.pointer_changes(changes))
        return len(changes) - changed.matched

    def remove_pointers(self, user_id: str, device_id: str) -> list[str]:
        """See GroupMessages."""
        if not device_id:
            return []
        named = {"user_id": user_id, "device_id": device_id}
        with self._sessions.open() as collections:
            group_ids = [row["group_id"] for row in collections.group_pointers.find(named, {"group_id": 1})]
            collections.group_pointers.delete_many(named)
        return group_ids

    def settle(self, settlements: Sequence[Settlement], now_ms: int) -> None:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            write_unordered(collections.messages, statements.counts(settlements, now_ms))
            write_unordered(collections.messages, statements.endings(settlements, now_ms))

    def list_polled(self, group_id: str, *, after: int, since_ms: int, limit: int) -> list[str]:
        """See GroupMessages."""
        condition = _polled(group_id) | {"sequence": {"$gt": after}, "timestamp": {"$gte": DatetimeMS(since_ms)}}
        with self._sessions.open() as collections:
            rows = collections.messages.find(condition, {"_id": 1}).sort("sequence", 1).limit(limit)
            return [row["_id"] for row in rows]

    def list_last_polled(self, group_id: str, limit: int) -> list[str]:
        """See GroupMessages."""
        with self._sessions.open() as collections:
            rows = collections.messages.find(_polled(group_id), {"_id": 1}).sort("sequence", -1).limit(limit)
            return [row["_id"] for row in rows]


def _of_groups(*group_ids: str) -> Document:
    return {"receiver_id": None, "group_id": group_ids[0] if len(group_ids) == 1 else {"$in": list(group_ids)}}


def _waiting_above(group_ids: Sequence[str], above: Mapping[str, int]) -> Document:
    if len(group_ids) == 1:
        return _of_groups(*group_ids) | {"waiting": True, "sequence": {"$gt": above[group_ids[0]]}}
    either = [{"group_id": one, "sequence": {"$gt": above[one]}} for one in group_ids]
    # The groups are named beside the alternatives too: a router looks for shards there.
    return _of_groups(*group_ids) | {"waiting": True, "$or": either}


def _polled(group_id: str) -> Document:
    return _of_groups(group_id) | {"polled": True, "refusal": "", "_id": MESSAGE_IDS}
