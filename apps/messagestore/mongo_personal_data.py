"""One person's side of the MongoDB adapter."""

from apps.messagestore.base import Body, Pointer
from apps.messagestore.mongo_connection import Document
from apps.messagestore.mongo_documents import to_body, to_pointer, to_trace
from apps.messagestore.mongo_session import MongoSessions
from apps.messagestore.personal_data import HeldMessage

MESSAGES = "msg-"
"""What ids of messages begin with."""


class MongoPersonalData:
    """PersonalData on the server of these sessions."""

    def __init__(self, sessions: MongoSessions) -> None:
        self._sessions = sessions

    def list_messages(self, user_id: str, after_id: str, limit: int) -> list[HeldMessage]:
        """See PersonalData."""
        with self._sessions.open() as collections:
            rows = collections.messages.find(_of(user_id, after_id)).sort("_id", 1).limit(limit)
            return [HeldMessage(trace=to_trace(row), body=_body(row)) for row in rows]

    def count_messages(self, user_id: str) -> int:
        """See PersonalData."""
        with self._sessions.open() as collections:
            return collections.messages.count_documents(_of(user_id))

    def list_read_pointers(self, user_id: str) -> list[Pointer]:
        """See PersonalData."""
        with self._sessions.open() as collections:
            return [to_pointer(row) for row in collections.read_pointers.find({"reader_id": user_id})]

    def erase(self, user_id: str, limit: int) -> int:
        """See PersonalData."""
        with self._sessions.open() as collections:
            ids = [row["_id"] for row in collections.messages.find(_of(user_id), {"_id": 1}).limit(limit)]
            collections.messages.delete_many({"_id": {"$in": ids}})
            collections.read_pointers.delete_many({"$or": [{"reader_id": user_id}, {"peer_id": user_id}]})
            collections.group_pointers.delete_many({"user_id": user_id})
        return len(ids)


def _of(user_id: str, after_id: str = "") -> Document:
    """Of events of groups, which are named "evt-", the sender is who asked for the change: they are the group's."""
    return {"$or": [{"sender_id": user_id}, {"receiver_id": user_id}], "_id": {"$gt": max(after_id, MESSAGES)}}


def _body(row: Document) -> Body | None:
    return None if row.get("stripped_at") is not None or row["refusal"] else to_body(row)
