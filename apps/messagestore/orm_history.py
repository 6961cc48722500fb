"""The history side of the ORM adapter."""

from typing import Any

from apps.messagestore.base import TRACE_KEPT_MS, Body
from apps.messagestore.history import NEWEST, Conversation, Window
from apps.messagestore.orm_rows import to_body
from apps.messagestore.orm_session import execute_each, fetch, lock_messages, transaction_of_batch
from apps.messagestore.orm_statements import BODY, CONVERSATIONS, FORGET, IN_HISTORY, KEPT_BY, STRIP_RELEASED


class OrmHistory:
    """MessageHistory on the database with the alias ``messages``."""

    def list_messages(self, conversation_id: str, window: Window, below: int = NEWEST) -> list[Body]:
        """See MessageHistory."""
        rows = fetch(
            f"SELECT {BODY} FROM message WHERE conversation_id = %(conversation)s AND sequence < %(below)s"
            f" AND {IN_HISTORY} ORDER BY sequence DESC LIMIT %(limit)s",
            _values(window, conversation=conversation_id, below=below),
        )
        return [to_body(row) for row in rows]

    def list_conversations(self, window: Window, before: tuple[int, str] = (NEWEST, "")) -> list[Conversation]:
        """See MessageHistory."""
        conversations = CONVERSATIONS.format(groups=_marks(window))
        rows = fetch(conversations, _values(window, before_ms=before[0], before_id=before[1]))
        return [Conversation(last=to_body(row[2:]), at_ms=row[0], unread=row[1]) for row in rows]

    def forget(self, window: Window) -> int:
        """See MessageHistory."""
        kept_by = KEPT_BY.format(groups=_marks(window))
        ids = sorted(row[0] for row in fetch(f"{kept_by} LIMIT %(limit)s", _values(window)))
        values = {"keeper": f"{window.keeper_id} ", "at": window.now_ms, "trace_until": window.now_ms + TRACE_KEPT_MS}
        changes = [{"id": one} | values for one in ids]
        with transaction_of_batch():
            lock_messages(ids)
            execute_each(FORGET, changes)
            execute_each(STRIP_RELEASED, changes)
        return len(ids)


def _marks(window: Window) -> str:
    """Marks for the groups' ids; PostgreSQL takes no empty list."""
    return ", ".join(f"%({name})s" for name in _groups(window)) or "NULL"


def _groups(window: Window) -> dict[str, str]:
    return {f"group_{number}": group_id for number, group_id in enumerate(window.group_ids)}


def _values(window: Window, **others: Any) -> dict[str, Any]:
    return {
        "keeper": window.keeper_id,
        "like": f"%{window.keeper_id} %",
        "after": window.after_ms,
        "until": window.until_ms,
        "now": window.now_ms,
        "limit": window.limit,
        **_groups(window),
        **others,
    }
