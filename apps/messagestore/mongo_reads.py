"""Reads of messages on MongoDB: by what names them, and in a group's order.

A primary that has just taken over may not know yet that what it has is on the majority, and leaves it out. Where that
would be taken for absent, the reads here look again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.messagestore.base import ClientKey, NewMessage, Standing, StoreUnavailable
from apps.messagestore.mongo_connection import Collections, Document
from apps.messagestore.mongo_documents import WITHOUT_CONTENT
from apps.messagestore.mongo_statements import chunks

TRIPLES = 500
"""Looked for in one query, each as a branch of its own."""


def find_by_id(
    collections: Collections,
    message_ids: Sequence[str],
    condition: Mapping[str, Any],
    projection: Mapping[str, Any] | None,
) -> list[Document]:
    """Messages of these ids, as far as the condition holds. Raises StoreUnavailable where one might be missed."""
    rows: list[Document] = []
    for chunk in chunks(message_ids):
        rows += collections.messages.find({"_id": {"$in": chunk}, **condition}, projection)
    found = {row["_id"] for row in rows}
    for chunk in chunks([one for one in dict.fromkeys(message_ids) if one not in found]):
        _refuse_unless_absent(collections, {"_id": {"$in": chunk}, **condition})
    return rows


def triple_of(message: NewMessage | ClientKey | Standing) -> tuple[str, str, str]:
    """What is unique besides the id: sender, device, and the client's own id."""
    return message.sender_id, message.sender_device, message.client_id


def find_by_triple(collections: Collections, messages: Sequence[NewMessage | ClientKey]) -> list[Document]:
    """Messages without content, by their triples."""
    rows: list[Document] = []
    for start in range(0, len(messages), TRIPLES):
        filters = [_by_triple(one, collections.sharded) for one in messages[start : start + TRIPLES]]
        rows += collections.messages.find({"$or": filters}, WITHOUT_CONTENT)
    return rows


def _by_triple(message: NewMessage | ClientKey, sharded: bool) -> Document:
    """Over shards with the shard key, so that one shard is asked: there the triple is unique for a receiver or group.

    A client's key names no group: then all shards are asked that have groups.
    """
    triple = dict(zip(("sender_id", "sender_device", "client_id"), triple_of(message), strict=True))
    if not sharded:
        return triple
    if message.receiver_id:
        return triple | {"receiver_id": message.receiver_id, "group_id": None}
    group_id = message.group_id if isinstance(message, NewMessage) else ""
    return triple | {"receiver_id": None} | ({"group_id": group_id} if group_id else {})


def find_in_order(
    collections: Collections, condition: Mapping[str, Any], after: int, upto: int, limit: int
) -> list[Document]:
    """Messages without content, above one sequence and not above another, as far as the condition holds; the lowest
    first. Raises StoreUnavailable where one might be missed.
    """
    if after >= upto:
        return []
    between = {**condition, "sequence": {"$gt": after, "$lte": upto}}
    rows = list(collections.messages.find(between, WITHOUT_CONTENT).sort("sequence", 1).limit(limit))
    last = rows[-1]["sequence"] if rows else after
    if len(rows) < limit and last < upto:
        _refuse_unless_absent(collections, {**condition, "sequence": {"$gt": last, "$lte": upto}})
    return rows


def _refuse_unless_absent(collections: Collections, condition: Mapping[str, Any]) -> None:
    if collections.latest.find_one(condition, {"_id": 1}) is not None:
        raise StoreUnavailable("a row is not known to be on the majority yet")
