"""The updates of the MongoDB adapter. Each is conditional and may be repeated; none was made from a row read before.

An update statement cannot look at its own result. So one statement confirms for a message's only device and strips it;
where more is to be said, one takes the device off, and the next one finishes rows that then wait for nobody. A crash in
between leaves ``waiting`` set; whoever reads such a row next, the repeated batch or the slow sweep, has it finished.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from bson.datetime_ms import DatetimeMS
from pymongo.operations import InsertOne, UpdateMany, UpdateOne

from apps.messagestore.base import TRACE_KEPT_MS, Confirmation, NewMessage, Pointer
from apps.messagestore.mongo_connection import Document
from apps.messagestore.mongo_documents import CONTENT_FIELDS, pointer_key, to_document, to_expiry
from apps.protocol.limits import HISTORY_KEPT_MS

CHUNK = 1_000
"""Ids in one $in."""

EMPTY: list[str] = []
NOT_EMPTY = {"$gt": ""}
"""An array of ids that has any; so written, a partial index can be proven to hold all that a query asks for."""

# No group's: who waits for those does not stand in the row.
SETTLED = {"group_id": None, "undelivered": False}
NOBODY_WAITS = SETTLED | {"waiting": True, "pending_devices": EMPTY, "own_devices": EMPTY}


def chunks(message_ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids without repetitions, so many at a time as one statement can name."""
    unique = list(dict.fromkeys(message_ids))
    for start in range(0, len(unique), CHUNK):
        yield unique[start : start + CHUNK]


def insertions(messages: Sequence[NewMessage], now_ms: int) -> list[InsertOne[Document]]:
    """New rows, once for each id and each (sender, device, client id): the first one of the batch.

    An unordered bulk may carry out the second one first, and the first position of an id is its sequence.
    """
    ids: set[str] = set()
    triples: set[tuple[str, str, str]] = set()
    found: list[InsertOne[Document]] = []
    for message in messages:
        triple = (message.sender_id, message.sender_device, message.client_id)
        if message.message_id not in ids and triple not in triples:
            found.append(InsertOne(to_document(message, now_ms)))
        ids.add(message.message_id)
        triples.add(triple)
    return found


def last_confirmations(batch: Sequence[Confirmation]) -> list[UpdateMany]:
    """Settle and strip, in one write a row, what waits for no other device and is kept by nobody."""
    return [
        UpdateMany(
            _of_receiver(chunk, user_id) | {"pending_devices": [device_id], "own_devices": EMPTY, "history_for": EMPTY},
            _merge(_taking_off(device_id, at_ms), stripping(at_ms)),
        )
        for user_id, device_id, at_ms, chunk in _by_device(batch, by_receiver=True)
    ]


def confirmations(batch: Sequence[Confirmation]) -> list[UpdateMany]:
    """Take each device off its messages; the receiver's first one settles them."""
    received = [
        UpdateMany(
            _of_receiver(chunk, user_id) | {"$or": [{"undelivered": True}, {"pending_devices": device_id}]},
            _taking_off(device_id, at_ms),
        )
        for user_id, device_id, at_ms, chunk in _by_device(batch, by_receiver=True)
    ]
    copies = [
        UpdateMany(
            {"_id": {"$in": chunk}, "sender_id": user_id, "own_devices": device_id},
            {"$pull": {"own_devices": device_id}, "$push": {"confirmations": _note(device_id, at_ms)}},
        )
        for user_id, device_id, at_ms, chunk in _by_device(batch, by_receiver=False)
    ]
    return received + copies


def _by_device(batch: Sequence[Confirmation], *, by_receiver: bool) -> Iterator[tuple[str, str, int, list[str]]]:
    """(user, device, time, message ids): one statement confirms for all of them."""
    groups: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for one in batch:
        if one.by_receiver is by_receiver:
            groups[one.user_id, one.device_id, one.at_ms].append(one.message_id)
    for group, message_ids in groups.items():
        for chunk in chunks(message_ids):
            yield *group, chunk


def _of_receiver(message_ids: list[str], user_id: str) -> Document:
    """What this user may confirm; with the shard key, so that one shard is asked."""
    return {
        "_id": {"$in": message_ids},
        "receiver_id": user_id,
        "group_id": None,
        "refusal": "",
    }


def _taking_off(device_id: str, at_ms: int) -> Document:
    return {
        "$pull": {"pending_devices": device_id},
        "$push": {"confirmations": _note(device_id, at_ms)},
        "$set": {"undelivered": False},
        # Sets what is absent, and then keeps the earliest.
        "$min": {"settled_at": DatetimeMS(at_ms)},
    }


def stripping(at_ms: int) -> Document:
    """The update that takes the content out, and waits for nobody any more."""
    return {
        "$unset": dict.fromkeys(CONTENT_FIELDS, ""),
        "$set": {
            "waiting": False,
            "stripped_at": DatetimeMS(at_ms),
            "expires_at": to_expiry(at_ms + TRACE_KEPT_MS),
        },
    }


def _merge(*updates: Document) -> Document:
    """One update that does what several do, operator by operator."""
    merged: Document = {}
    for update in updates:
        for operator, fields in update.items():
            merged[operator] = merged.get(operator, {}) | fields
    return merged


def _note(device_id: str, at_ms: int) -> Document:
    return {"device_id": device_id, "at": DatetimeMS(at_ms)}


def releases(message_ids: Iterable[str], user_id: str, device_id: str) -> list[UpdateMany]:
    """Take a device that is gone off its messages, without settling any."""
    return [
        UpdateMany(
            {"_id": {"$in": chunk}, party: user_id, devices: device_id},
            {"$pull": {devices: device_id}},
        )
        for chunk in chunks(message_ids)
        for party, devices in (("receiver_id", "pending_devices"), ("sender_id", "own_devices"))
    ]


def finishes(message_ids: Iterable[str], at_ms: int) -> list[UpdateMany]:
    """Strip what nobody waits for or keeps; stop waiting for what is kept, and keep it for its time from now on."""
    # The earliest stands: the time counts from the first confirmation, whoever confirms later.
    keep = {"$min": {"expires_at": to_expiry(at_ms + HISTORY_KEPT_MS)}}
    found: list[UpdateMany] = []
    for chunk in chunks(message_ids):
        named = {"_id": {"$in": chunk}}
        found += [
            UpdateMany(named | NOBODY_WAITS | {"history_for": EMPTY}, stripping(at_ms)),
            UpdateMany(named | SETTLED | {"refusal": "", "history_for": NOT_EMPTY}, keep),
            UpdateMany(named | NOBODY_WAITS | {"history_for": NOT_EMPTY}, {"$set": {"waiting": False}}),
        ]
    return found


def pointer_raises(pointers: Sequence[Pointer]) -> list[UpdateOne]:
    """Raise each pointer, or make it. Where a higher one stands nothing matches, and making a second one meets its
    ``_id``.
    """
    return [
        UpdateOne(
            {"_id": pointer_key(one.conversation_id, one.reader_id), "sequence": {"$lt": one.sequence}},
            {
                "$set": {
                    "conversation_id": one.conversation_id,
                    "reader_id": one.reader_id,
                    "peer_id": one.peer_id,
                    "message_id": one.message_id,
                    "sequence": one.sequence,
                    "read_at": DatetimeMS(one.read_at_ms),
                }
            },
            upsert=True,
        )
        for one in pointers
    ]


def forgettings(message_ids: Iterable[str], keeper_id: str, at_ms: int) -> list[UpdateMany]:
    """Take a keeper off messages; what only they kept and nobody waits for is stripped in the same write.

    Never first the one, then the other: after a crash in between nothing would tell that there is content to strip.
    """
    alone = {"waiting": False, "history_for": [keeper_id]}
    not_alone = {"$or": [{"waiting": True}, {"history_for.1": {"$exists": True}}]}
    forgetting = {"$pull": {"history_for": keeper_id}}
    found: list[UpdateMany] = []
    for chunk in chunks(message_ids):
        named = {"_id": {"$in": chunk}, "history_for": keeper_id}
        found += [
            UpdateMany(named | alone, _merge(forgetting, stripping(at_ms))),
            UpdateMany(named | not_alone, forgetting),
        ]
    return found
