"""The history side of the MongoDB adapter. Pages are read from a secondary where there is one."""

from collections.abc import Sequence
from typing import Any

from bson.datetime_ms import DatetimeMS

from apps.messagestore import mongo_statements as statements
from apps.messagestore.base import Body
from apps.messagestore.history import NEWEST, Conversation, Window
from apps.messagestore.mongo_connection import Collections, Document
from apps.messagestore.mongo_documents import LATEST_EXPIRY_MS, to_body
from apps.messagestore.mongo_errors import write_unordered
from apps.messagestore.mongo_session import MongoSessions
from apps.messagestore.mongo_statements import NOT_EMPTY
from apps.protocol.ids import is_group_id

NEWEST_FIRST = [("sequence", -1)]


class MongoHistory:
    """MessageHistory on the server of these sessions."""

    def __init__(self, sessions: MongoSessions) -> None:
        self._sessions = sessions

    def list_messages(self, conversation_id: str, window: Window, below: int = NEWEST) -> list[Body]:
        """See MessageHistory."""
        condition: Document = {"conversation_id": conversation_id, "sequence": {"$lt": below}} | _in_history(window)
        if is_group_id(conversation_id):
            condition |= {"receiver_id": None, "group_id": conversation_id}  # the shard key, so that one shard is asked
        with self._sessions.open() as collections:
            rows = collections.history.find(condition).sort(NEWEST_FIRST).limit(window.limit)
            return [to_body(row) for row in rows]

    def list_conversations(self, window: Window, before: tuple[int, str] = (NEWEST, "")) -> list[Conversation]:
        """See MessageHistory."""
        with self._sessions.open() as collections:
            groups = list(collections.history.aggregate(_latest(window, before)))
            last = _list_last(collections, window, groups)
            unread = _count_unread(collections, window, list(last))
        return [
            Conversation(last=last[one["_id"]], at_ms=int(one["at"]), unread=unread.get(one["_id"], 0))
            for one in groups
            if one["_id"] in last
        ]

    def forget(self, window: Window) -> int:
        """See MessageHistory."""
        everywhere = _everywhere(window, _kept(window))
        with self._sessions.open() as collections:
            ids = [row["_id"] for row in collections.messages.find(everywhere, {"_id": 1}).limit(window.limit)]
            write_unordered(collections.messages, statements.forgettings(ids, window.keeper_id, window.now_ms))
        return len(ids)


def _kept(window: Window) -> Document:
    return {
        "history_for": window.keeper_id,
        "timestamp": {"$gt": DatetimeMS(window.after_ms), "$lte": DatetimeMS(min(window.until_ms, LATEST_EXPIRY_MS))},
    }


def _in_history(window: Window) -> Document:
    alive = {"refusal": "", "stripped_at": None, "expires_at": {"$gt": DatetimeMS(window.now_ms)}}
    return _kept(window) | alive


def _everywhere(window: Window, condition: Document) -> Document:
    """The condition in conversations with people and in the window's groups, each part with an index of its own."""
    parts = [condition | {"receiver_id": NOT_EMPTY}]
    if window.group_ids:
        named = {"$in": list(window.group_ids)}
        parts.append(condition | {"receiver_id": None, "group_id": named, "conversation_id": named})
    return {"$or": parts}


def _latest(window: Window, before: tuple[int, str]) -> list[Document]:
    """Conversations with the sequence and time of their last message, newest first, after one of them."""
    at = DatetimeMS(min(before[0], LATEST_EXPIRY_MS))
    further = [{"at": {"$lt": at}}, {"at": at, "_id": {"$lt": before[1]}}]
    return [
        {"$match": _everywhere(window, _in_history(window))},
        {"$group": {"_id": "$conversation_id", "sequence": {"$max": "$sequence"}, "at": {"$max": "$timestamp"}}},
        {"$match": {"$or": further}},
        {"$sort": {"at": -1, "_id": -1}},
        {"$limit": window.limit},
    ]


def _list_last(collections: Collections, window: Window, groups: Sequence[Document]) -> dict[str, Body]:
    """Conversation → its last message; without those that went meanwhile."""
    named = [{"conversation_id": one["_id"], "sequence": one["sequence"]} for one in groups]
    rows = collections.history.find({"$or": named} | _in_history(window)) if named else ()
    return {row["conversation_id"]: to_body(row) for row in rows}


def _count_unread(collections: Collections, window: Window, conversation_ids: Sequence[str]) -> dict[str, int]:
    """Conversation → messages from others above the keeper's read pointer."""
    if not conversation_ids:
        return {}
    pointers = collections.read_pointers.find(
        {"reader_id": window.keeper_id, "conversation_id": {"$in": list(conversation_ids)}}
    )
    read: dict[str, Any] = {row["conversation_id"]: row["sequence"] for row in pointers}
    above = [{"conversation_id": one, "sequence": {"$gt": read.get(one, 0)}} for one in conversation_ids]
    counted = collections.history.aggregate(
        [
            {"$match": {"sender_id": {"$ne": window.keeper_id}, "$or": above} | _in_history(window)},
            {"$group": {"_id": "$conversation_id", "unread": {"$sum": 1}}},
        ]
    )
    return {row["_id"]: row["unread"] for row in counted}
