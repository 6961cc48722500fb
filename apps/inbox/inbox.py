"""The inbox of each device, in Valkey. Sync: relay and Celery use it. Every call raises ValkeyError."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.conf import settings

from apps.inbox.keys import LOCK_SECONDS, PATTERN, device_keys, find_device, lock_key
from apps.valkey.scripts import Script
from apps.valkey.sync_keyspace import SyncKeyspace, sync_keyspace

_LUA = Path(__file__).parent / "lua"
_APPLY = Script(_LUA / "apply.lua")
_READ = Script(_LUA / "read.lua")
_REBUILD = Script(_LUA / "rebuild.lua")
_LOCK = Script(_LUA / "lock.lua")
_MISSING = Script(_LUA / "missing.lua")

REBUILD_STEP = 1_000
"""Entries a script call writes at most while an inbox is rebuilt."""


class RebuildLockLost(Exception):
    """Another process took over the rebuild of this user's inboxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change to one device's inbox.

    ``put`` adds a message (its id is ``member``; the frame is for the push only), ``receipt`` adds or replaces the
    receipt with this coalescing key (an event of a group stays where it stands), ``remove`` takes a confirmed message
    out.
    """

    kind: Literal["put", "receipt", "remove"]
    user_id: str
    device_id: str
    member: str
    frame: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a change stands in the device's numbering; ``server_id`` is empty where the device is not connected.

    An empty ``epoch`` says that the inbox must be rebuilt: nothing was put, the Message DB has it.
    """

    epoch: str
    counter: int
    server_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One entry of an inbox: a message by its id, or a receipt with its frame."""

    kind: Literal["message", "receipt"]
    member: str
    frame: str
    counter: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRequest:
    """Which window of which inbox: entries after a counter of an epoch (another epoch: from the start)."""

    user_id: str
    device_id: str
    epoch: str
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Entries after ``after`` and up to ``upto`` in order; ``epoch`` is empty where the inbox must be rebuilt first."""

    epoch: str
    after: int
    upto: int
    last: bool
    entries: tuple[Waiting, ...]


_KINDS = {"put": "m", "receipt": "r", "remove": "x"}


def apply_changes(changes: Sequence[Change]) -> list[Place | None]:
    """Apply a batch. For each change its place; None for a removal. If it fails it may have been applied in part:
    repeat it, a change that stands is not made again.
    """
    items = [
        # A message's body stays in the Message DB: its frame does not go to Valkey.
        (
            change.user_id,
            change.device_id,
            _KINDS[change.kind],
            change.member,
            change.frame if change.kind == "receipt" else "",
        )
        for change in changes
    ]
    answer: list[list[Any]] = _keyspace().run_items(_APPLY, (), items)
    return [Place(epoch=place[0], counter=place[1], server_id=place[2]) if place else None for place in answer]


def read_windows(requests: Sequence[WindowRequest], limit: int) -> list[Window]:
    """One window of at most ``limit`` entries of each inbox, in the order asked."""
    items = [(request.user_id, request.device_id, request.epoch, request.after) for request in requests]
    answer: list[list[Any]] = _keyspace().run_items(_READ, (limit,), items)
    return [
        Window(
            epoch=epoch,
            after=after,
            upto=upto,
            last=bool(last),
            entries=tuple(
                Waiting(kind="message" if kind == "m" else "receipt", member=member, frame=frame, counter=counter)
                for kind, member, frame, counter in entries
            ),
        )
        for epoch, after, upto, last, *entries in answer
    ]


def list_missing(entries: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Those of (user, device, message id) that a usable inbox ought to hold and does not."""
    answer: list[int] = _keyspace().run_items(_MISSING, (), entries)
    return [entry for entry, missing in zip(entries, answer, strict=True) if missing]


def read_acknowledged_ms(user_id: str, device_id: str) -> int:
    """Receipts from before this time (server's clock, ms) are known to have been written to the device's socket; 0:
    none.
    """
    return int(_keyspace().execute("HGET", device_keys(user_id, device_id)[1], "acked_ms") or 0)


def read_receipts(user_id: str, device_id: str) -> list[Waiting]:
    """The receipts that the server still holds for a device, oldest first, even those of an old epoch."""
    _, _, receipts, frames = device_keys(user_id, device_id)
    members: list[str] = _keyspace().execute("ZRANGE", receipts, 0, -1)
    texts = _keyspace().execute("HMGET", frames, *members) if members else []
    return [
        Waiting(kind="receipt", member=member, frame=frame)
        for member, frame in zip(members, texts, strict=True)
        if frame
    ]


@contextmanager
def rebuild_lock(user_id: str) -> Iterator[str | None]:
    """The lock for rebuilding a user's inboxes: its token, or None where somebody else holds it."""
    token = str(_keyspace().run(_LOCK, user_id, (user_id, secrets.token_hex(8), LOCK_SECONDS)))
    try:
        yield token or None
    finally:
        if token and _keyspace().execute("GET", lock_key(user_id)) == token:
            _keyspace().execute("DEL", lock_key(user_id))


def has_epoch(user_id: str, device_id: str) -> bool:
    """Whether the inbox can take puts as it is."""
    return bool(read_windows([WindowRequest(user_id=user_id, device_id=device_id, epoch="", after=0)], 1)[0].epoch)


def begin_rebuild(user_id: str, device_id: str, token: str) -> None:
    """From here on refused changes are kept, for the last step of the rebuild. Raises RebuildLockLost."""
    _rebuild_step(user_id, device_id, token, "begin", "", ())


def write_rebuilt(user_id: str, device_id: str, token: str, entries: Sequence[Waiting]) -> str:
    """Replace a device's inbox by these entries under a new epoch, which is returned. Raises RebuildLockLost."""
    epoch = secrets.token_hex(4)
    pages = [entries[start : start + REBUILD_STEP] for start in range(0, len(entries), REBUILD_STEP)]
    _rebuild_step(user_id, device_id, token, "first", epoch, ())
    for page in pages:
        _rebuild_step(user_id, device_id, token, "more", epoch, page)
    return _rebuild_step(user_id, device_id, token, "last", epoch, ())


def _rebuild_step(user_id: str, device_id: str, token: str, step: str, epoch: str, entries: Sequence[Waiting]) -> str:
    arguments = [user_id, device_id, token, step, epoch]
    for entry in entries:
        arguments += ("m" if entry.kind == "message" else "r", entry.member, entry.frame)
    answer = str(_keyspace().run(_REBUILD, user_id, arguments))
    if answer == "lost":
        raise RebuildLockLost(f"the rebuild of {user_id}'s inboxes was taken over")
    return answer


def count_waiting(user_id: str, device_id: str) -> tuple[int, int]:
    """How many messages and how many receipts wait for a device."""
    inbox, _, receipts, _ = device_keys(user_id, device_id)
    messages, waiting_receipts = _keyspace().execute_all([("ZCARD", inbox), ("ZCARD", receipts)])
    return messages, waiting_receipts


def list_devices_page(cursor: str, count: int) -> tuple[str, set[tuple[str, str]]]:
    """The next page of a walk over all inboxes, which begins and ends with the cursor "": the cursor of the page after
    it, and (user, device) of each inbox among about ``count`` keys.
    """
    following, keys = _keyspace().scan_page(PATTERN, cursor, count)
    return following, {device for key in keys if (device := find_device(key))}


def delete_inbox(user_id: str, device_id: str) -> None:
    """Forget a device's inbox: the device is gone. A rebuild that may be under way for it loses its lock, or it would
    write the inbox anew.
    """
    _keyspace().execute("DEL", *device_keys(user_id, device_id), lock_key(user_id))


def drop_epoch(user_id: str, device_id: str) -> None:
    """Make the next put or drain rebuild this inbox from the Message DB."""
    _keyspace().execute("HDEL", device_keys(user_id, device_id)[1], "epoch")


def _keyspace() -> SyncKeyspace:
    return sync_keyspace(settings.INBOX_REDIS_URL)
