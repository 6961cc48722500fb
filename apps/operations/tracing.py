"""One message's way through every hop, gathered from the parts that know of it. Never its content."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from apps.connections.registry import list_connections
from apps.inbox.inbox import has_epoch, list_missing
from apps.messagelog.base import GENERATION_SHIFT, LogStatus, LogUnavailable, partition_of
from apps.messagelog.log import get_message_log
from apps.messagestore.base import Pointer, Standing, Trace
from apps.messagestore.store import get_message_store
from apps.operations.group_tracing import describe_group, list_devices
from apps.protocol import ids
from apps.valkey.pools import ValkeyError

T = TypeVar("T")

DEAD_LETTERS_LOOKED_AT = 10_000
RELAY_GROUP = "relay"
_WORKER_AND_COUNTER_BITS = 22


def trace_message(message_id: str) -> dict[str, Any] | None:
    """All that is known of a message, ready for JSON; times in ms. None where neither store nor dead letters know it.

    What cannot be told because the log or the cache does not answer is None. Raises StoreUnavailable.
    """
    found = get_message_store().trace(message_id)
    dead_letter = _find_dead_letter(message_id)
    if found is None:
        return None if dead_letter is None else {"message_id": message_id, "dead_letter": dead_letter}
    pointers = get_message_store().list_read_pointers(found.standing.conversation_id)
    return {
        **_parties(found.standing),
        "sent_at": found.sent_at_ms,
        "accepted_at": found.standing.timestamp_ms,
        "log": _log_position(found.standing),
        "stored_at": found.stored_at_ms,
        "refusal": found.standing.refusal or None,
        "group": describe_group(found) if found.standing.group_id else None,
        "devices": list_devices(found) if found.standing.group_id else _devices(found),
        "delivered_at": found.standing.settled_at_ms if found.standing.delivered else None,
        "read": [_reading(pointer) for pointer in pointers if _covers(pointer, found.standing)],
        "history_of": list(found.history_for),
        "content_deleted_at": found.stripped_at_ms,
        "kept_until": found.expires_at_ms,
        "dead_letter": dead_letter,
    }


def made_at_ms(message_id: str) -> int:
    """When a gateway made this id: it is a Snowflake."""
    return (int(message_id.removeprefix("msg-"), 16) >> _WORKER_AND_COUNTER_BITS) + ids.SNOWFLAKE_EPOCH_MS


def count_unrelayed() -> int | None:
    """How many records the relay has not read yet; None where the log does not answer."""
    status = _ask(lambda: get_message_log().status())
    if status is None:
        return None
    return sum(partition.last - partition.committed.get(RELAY_GROUP, 0) for partition in status.partitions)


def _parties(standing: Standing) -> dict[str, Any]:
    return {
        "message_id": standing.message_id,
        "message_id_by_client": standing.message_id_by_client,
        "sender_id": standing.sender_id,
        "sender_device": standing.sender_device,
        "receiver_id": standing.receiver_id or None,
        "conversation_id": standing.conversation_id,
        "sequence": standing.sequence,
    }


def _log_position(standing: Standing) -> dict[str, Any]:
    partition = partition_of(standing.conversation_id, settings.LOG_PARTITIONS)
    generation, position = standing.sequence >> GENERATION_SHIFT, standing.sequence & ((1 << GENERATION_SHIFT) - 1)
    status = _ask(lambda: get_message_log().status())
    kept = None if status is None else _is_kept(status, generation, partition, position)
    return {"partition": partition, "generation": generation, "position": position, "kept": kept}


def _is_kept(status: LogStatus, generation: int, partition: int, position: int) -> bool:
    return status.generation == generation and any(
        each.first <= position <= each.last for each in status.partitions if each.partition == partition and each.first
    )


def _devices(found: Trace) -> list[dict[str, Any]]:
    """Each device that confirmed, in that order, then those that have not yet, with what waits for them where."""
    standing = found.standing
    confirmed = [{"device_id": device_id, "confirmed_at": at_ms} for device_id, at_ms in found.confirmations]
    waiting = [(standing.receiver_id, device_id) for device_id in standing.pending_devices]
    waiting += [(standing.sender_id, device_id) for device_id in standing.own_devices]
    places = _ask(lambda: _connected(user_id for user_id, _ in waiting))
    return confirmed + [
        {
            "device_id": device_id,
            "user_id": user_id,
            "confirmed_at": None,
            "inbox": _ask(partial(_inbox_state, user_id, device_id, standing.message_id)),
            "connected_to": None if places is None else places.get(device_id),
        }
        for user_id, device_id in waiting
    ]


def _connected(user_ids: Iterable[str]) -> dict[str, str]:
    return {one.device_id: one.server_id for one in list_connections(list(dict.fromkeys(user_ids)))}


def _inbox_state(user_id: str, device_id: str, message_id: str) -> str:
    if not has_epoch(user_id, device_id):
        return "not built"
    return "missing" if list_missing([(user_id, device_id, message_id)]) else "queued"


def _covers(pointer: Pointer, standing: Standing) -> bool:
    return pointer.reader_id != standing.sender_id and pointer.sequence >= standing.sequence


def _reading(pointer: Pointer) -> dict[str, Any]:
    """The reader's pointer stands at this message or at a later one: then it was read by that time at the latest."""
    return {"user_id": pointer.reader_id, "up_to": pointer.message_id, "at": pointer.read_at_ms}


def _find_dead_letter(message_id: str) -> dict[str, Any] | None:
    for letter in _ask(lambda: get_message_log().list_dead_letters(DEAD_LETTERS_LOOKED_AT)) or ():
        if f'"{message_id}"' in letter.payload:
            return {key: value for key, value in asdict(letter).items() if key != "payload"}
    return None


def _ask(question: Callable[[], T]) -> T | None:
    """The answer of the log or the cache; None while it is away: the rest can be told all the same."""
    try:
        return question()
    except (LogUnavailable, ValkeyError):
        return None
