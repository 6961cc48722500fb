"""The groups' side of the ORM adapter."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from apps.messagestore.base import TRACE_KEPT_MS
from apps.messagestore.groups import GroupEvent, GroupPointer, GroupProgress, GroupRow, Settlement
from apps.messagestore.orm_session import (
    CHUNK,
    execute,
    execute_each,
    fetch,
    fetch_by_id,
    lock_messages,
    transaction_of_batch,
)
from apps.messagestore.orm_statements import (
    ADD_POINTER,
    CHANGE_POINTER,
    GROUP_POINTER,
    GROUP_ROW,
    OF_GROUP,
    RAISE_FANNED,
    RAISE_STORED,
    SETTLE,
)
from apps.protocol.limits import HISTORY_KEPT_MS

POLLED = f"group_id = %s AND {OF_GROUP} AND polled AND refusal = '' AND id >= 'msg-'"
PAIRS = 100
"""Groups of one query that names a sequence for each."""

EVENT = "id, group_id, sequence, timestamp_ms, envelope"


class OrmGroupMessages:
    """GroupMessages on the database with the alias ``messages``."""

    def raise_stored(self, upto: Mapping[str, int]) -> None:
        """See GroupMessages."""
        execute_each(RAISE_STORED, sorted(upto.items()))

    def raise_fanned(self, group_id: str, upto: int) -> None:
        """See GroupMessages."""
        execute(RAISE_FANNED, [upto, group_id, upto])

    def list_progress(self, group_ids: Sequence[str]) -> dict[str, GroupProgress]:
        """See GroupMessages."""
        rows = _fetch_of_groups("SELECT group_id, stored_upto, fanned_upto FROM group_progress", group_ids)
        return {row[0]: GroupProgress(group_id=row[0], stored_upto=row[1], fanned_upto=row[2]) for row in rows}

    def list_behind(self, limit: int) -> list[str]:
        """See GroupMessages."""
        rows = fetch("SELECT group_id FROM group_progress WHERE fanned_upto < stored_upto LIMIT %s", [limit])
        return [row[0] for row in rows]

    def list_rows(self, group_id: str, after: int, upto: int, limit: int) -> list[GroupRow]:
        """See GroupMessages."""
        rows = fetch(
            f"SELECT {GROUP_ROW} FROM message WHERE group_id = %s AND {OF_GROUP} AND sequence > %s"
            " AND sequence <= %s AND NOT polled AND refusal = '' ORDER BY sequence LIMIT %s",
            [group_id, after, upto, limit],
        )
        return [_to_row(row) for row in rows]

    def list_waiting(self, above: Mapping[str, int]) -> list[GroupRow]:
        """See GroupMessages."""
        rows: list[GroupRow] = []
        pairs = sorted(above.items())
        for start in range(0, len(pairs), PAIRS):
            chunk = pairs[start : start + PAIRS]
            asked = ", ".join(["(%s, CAST(%s AS bigint))"] * len(chunk))
            # A join: conditions joined by OR would be looked up in no index.
            found = fetch(
                f"WITH asked (of_group, above) AS (VALUES {asked}) SELECT {GROUP_ROW} FROM asked"
                f" JOIN message ON group_id = of_group AND sequence > above WHERE {OF_GROUP} AND waiting",
                [part for pair in chunk for part in pair],
            )
            rows += [_to_row(row) for row in found]
        return sorted(rows, key=lambda row: (row.group_id, row.sequence))

    def list_waiting_groups(self, after: str, limit: int) -> list[str]:
        """See GroupMessages."""
        rows = fetch(
            f"SELECT DISTINCT group_id FROM message WHERE {OF_GROUP} AND group_id > %s AND waiting"
            " ORDER BY group_id LIMIT %s",
            [after, limit],
        )
        return [row[0] for row in rows]

    def list_events(self, group_ids: Sequence[str], since_ms: int) -> list[GroupEvent]:
        """See GroupMessages."""
        ending = f"AND {OF_GROUP} AND digest = '' AND stored_at_ms >= %s"
        rows = _fetch_of_groups(f"SELECT {EVENT} FROM message", group_ids, ending, [since_ms])
        events = [_to_event(row) for row in rows]
        return sorted(events, key=lambda event: (event.group_id, event.sequence))

    def list_events_by_id(self, event_ids: Sequence[str]) -> dict[str, GroupEvent]:
        """See GroupMessages."""
        return {row[0]: _to_event(row) for row in fetch_by_id(f"SELECT {EVENT} FROM message", event_ids)}

    def list_pointers(self, group_ids: Sequence[str], user_ids: Sequence[str] | None = None) -> list[GroupPointer]:
        """See GroupMessages."""
        select = f"SELECT {GROUP_POINTER} FROM group_pointer"
        if user_ids is None:
            return [_to_pointer(row) for row in _fetch_of_groups(select, group_ids)]
        pointers: list[GroupPointer] = []
        for start in range(0, len(user_ids), CHUNK):
            chunk = list(user_ids[start : start + CHUNK])
            marks = ", ".join(["%s"] * len(chunk))
            rows = _fetch_of_groups(select, group_ids, f"AND user_id IN ({marks})", chunk)
            pointers += [_to_pointer(row) for row in rows]
        return pointers

    def add_pointers(self, pointers: Sequence[GroupPointer]) -> None:
        """See GroupMessages."""
        ordered = sorted(pointers, key=lambda one: one.key)
        execute_each(ADD_POINTER, [(*one.key, one.upto, _to_text(one)) for one in ordered])

    def change_pointers(self, changes: Sequence[tuple[GroupPointer, GroupPointer]]) -> int:
        """See GroupMessages."""
        ordered = sorted(changes, key=lambda pair: pair[0].key)
        values = [(new.upto, _to_text(new), *old.key, old.upto, _to_text(old)) for old, new in ordered]
        return len(values) - execute_each(CHANGE_POINTER, values)

    def remove_pointers(self, user_id: str, device_id: str) -> list[str]:
        """See GroupMessages."""
        named = "FROM group_pointer WHERE user_id = %s AND device_id = %s AND device_id <> ''"
        group_ids = [row[0] for row in fetch(f"SELECT group_id {named}", [user_id, device_id])]
        execute(f"DELETE {named}", [user_id, device_id])
        return group_ids

    def settle(self, settlements: Sequence[Settlement], now_ms: int) -> None:
        """See GroupMessages."""
        times = {"at": now_ms, "trace_until": now_ms + TRACE_KEPT_MS, "history_until": now_ms + HISTORY_KEPT_MS}
        ordered = sorted(settlements, key=lambda one: one.message_id)
        values = [
            {
                "id": one.message_id,
                "count": one.delivered_count,
                "all": one.delivered_to_all,
                "waited": one.waited_for,
                **times,
            }
            for one in ordered
        ]
        with transaction_of_batch():
            lock_messages([one.message_id for one in ordered])
            execute_each(SETTLE, values)

    def list_polled(self, group_id: str, *, after: int, since_ms: int, limit: int) -> list[str]:
        """See GroupMessages."""
        rows = fetch(
            f"SELECT id FROM message WHERE {POLLED} AND sequence > %s AND timestamp_ms >= %s"
            " ORDER BY sequence LIMIT %s",
            [group_id, after, since_ms, limit],
        )
        return [row[0] for row in rows]

    def list_last_polled(self, group_id: str, limit: int) -> list[str]:
        """See GroupMessages."""
        rows = fetch(f"SELECT id FROM message WHERE {POLLED} ORDER BY sequence DESC LIMIT %s", [group_id, limit])
        return [row[0] for row in rows]


def _fetch_of_groups(
    select: str, group_ids: Sequence[str], ending: str = "", values: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(group_ids), CHUNK):
        chunk = list(group_ids[start : start + CHUNK])
        marks = ", ".join(["%s"] * len(chunk))
        rows += fetch(f"{select} WHERE group_id IN ({marks}) {ending}", [*chunk, *values])
    return rows


def _to_row(row: tuple[Any, ...]) -> GroupRow:
    return GroupRow(
        message_id=row[0],
        group_id=row[1],
        sequence=row[2],
        sender_id=row[3],
        sender_device=row[4],
        timestamp_ms=row[5],
        undelivered=bool(row[6]),
        delivered_count=row[7],
    )


def _to_event(row: tuple[Any, ...]) -> GroupEvent:
    return GroupEvent(
        event_id=row[0], group_id=row[1], sequence=row[2], timestamp_ms=row[3], facts=orjson.loads(row[4] or "{}")
    )


def _to_pointer(row: tuple[Any, ...]) -> GroupPointer:
    return GroupPointer(
        group_id=row[0],
        user_id=row[1],
        device_id=row[2],
        upto=row[3],
        beyond=tuple(int(one) for one in row[4].split()),
    )


def _to_text(pointer: GroupPointer) -> str:
    return "".join(f"{one} " for one in pointer.beyond)
