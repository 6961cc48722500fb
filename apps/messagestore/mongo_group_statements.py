"""The updates of the groups' side of the MongoDB adapter. Each is conditional and may be repeated.

Where one of several is to happen by how a document stands, their filters exclude each other: a repetition after a crash
in between does what is left, and nothing twice.
"""

from collections.abc import Iterable, Mapping, Sequence

from bson.datetime_ms import DatetimeMS
from pymongo.operations import InsertOne, UpdateOne

from apps.messagestore.groups import GroupPointer, Settlement
from apps.messagestore.mongo_connection import Document
from apps.messagestore.mongo_documents import group_pointer_key, to_expiry
from apps.messagestore.mongo_statements import EMPTY, NOT_EMPTY, stripping
from apps.protocol.limits import HISTORY_KEPT_MS


def stored_raises(upto: Mapping[str, int]) -> list[UpdateOne]:
    """Raise what is stored above what is fanned out, or make it. Where it stands higher, nothing matches, and making a
    second one meets its ``_id``.
    """
    return [
        UpdateOne(
            {"_id": group_id, "stored_upto": {"$lt": sequence}, "fanned_upto": {"$lt": sequence}},
            {"$set": {"stored_upto": sequence, "behind": True}, "$setOnInsert": {"fanned_upto": 0}},
            upsert=True,
        )
        for group_id, sequence in upto.items()
    ]


def stored_raises_of_present(upto: Mapping[str, int]) -> list[UpdateOne]:
    """The same for those that are there: somebody may have made one at the same time, or fanned out that far."""
    return [
        UpdateOne({"_id": group_id, "stored_upto": {"$lt": sequence}, "fanned_upto": fanned_upto}, {"$set": change})
        for group_id, sequence in upto.items()
        for fanned_upto, change in (
            ({"$lt": sequence}, {"stored_upto": sequence, "behind": True}),
            ({"$gte": sequence}, {"stored_upto": sequence}),
        )
    ]


def fanned_raises(group_id: str, upto: int) -> list[tuple[Document, Document]]:
    """(filter, update) to raise what is fanned out: to all that is stored, and else to less. To be tried in this order:
    what is stored only rises.
    """
    lower = {"_id": group_id, "fanned_upto": {"$lt": upto}}
    return [
        (lower | {"stored_upto": {"$lte": upto}}, {"$set": {"fanned_upto": upto, "behind": False}}),
        (lower | {"stored_upto": {"$gt": upto}}, {"$set": {"fanned_upto": upto}}),
    ]


def pointer_insertions(pointers: Sequence[GroupPointer]) -> list[InsertOne[Document]]:
    """New pointers; of two for the same device the first one."""
    first = {one.key: one for one in reversed(pointers)}
    return [
        InsertOne(
            {
                "_id": group_pointer_key(one),
                "group_id": one.group_id,
                "user_id": one.user_id,
                "device_id": one.device_id,
                "upto": one.upto,
                "beyond": list(one.beyond),
            }
        )
        for one in first.values()
    ]


def pointer_changes(changes: Iterable[tuple[GroupPointer, GroupPointer]]) -> list[UpdateOne]:
    """Put each second one in the place of the first, where that still stands so."""
    return [
        UpdateOne(
            {"_id": group_pointer_key(old), "upto": old.upto, "beyond": list(old.beyond)},
            {"$set": {"upto": new.upto, "beyond": list(new.beyond)}},
        )
        for old, new in changes
    ]


def counts(settlements: Iterable[Settlement], now_ms: int) -> list[UpdateOne]:
    """Write how many have each message, where that has grown, and whether all have."""
    found: list[UpdateOne] = []
    for one in settlements:
        to_all = {"undelivered": False} if one.delivered_to_all else {}
        grown = {"delivered_count": one.delivered_count, "settled_at": DatetimeMS(now_ms)}
        counted, uncounted = {"$lt": one.delivered_count}, {"$gte": one.delivered_count}
        found.append(UpdateOne(_still_waiting(one) | {"delivered_count": counted}, {"$set": grown | to_all}))
        if to_all:
            found.append(UpdateOne(_still_waiting(one) | {"delivered_count": uncounted}, {"$set": to_all}))
    return found


def endings(settlements: Iterable[Settlement], now_ms: int) -> list[UpdateOne]:
    """Strip what nobody waits for or keeps; stop waiting for what is kept, and keep it for its time from now on.

    After the counts: as long as a row waits, whoever counts finds it again.
    """
    kept = {"waiting": False, "expires_at": to_expiry(now_ms + HISTORY_KEPT_MS)}
    return [
        UpdateOne(_still_waiting(one) | {"history_for": keepers}, change)
        for one in settlements
        if not one.waited_for
        for keepers, change in ((EMPTY, stripping(now_ms)), (NOT_EMPTY, {"$set": kept}))
    ]


def _still_waiting(settlement: Settlement) -> Document:
    """What nobody waits for any more is settled for good: no later count says anything about it."""
    return {"_id": settlement.message_id, "receiver_id": None, "group_id": NOT_EMPTY, "waiting": True}
